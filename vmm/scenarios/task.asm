; NMIs that come through a task gate, in 32-bit protected mode: vector 2 switches to a task of its own,
; with its own stack and registers, as kernels of 32 bits did it to survive a broken stack.  The
; interrupted task stays busy, and the new one has NT set and a link back to it (SDM vol. 3, "Task
; Linking").  Article 003 tests a hypervisor with it: the IRET that ends such an NMI is a task switch
; too.
%include "frag.inc"

; Ends as it should not: by a jump to a third task.  That task runs with interrupts on, and nothing
; about it looks like an NMI; but no IRET was executed, so NMIs stay blocked, and the next one waits
; for ever (SDM vol. 3, "Handling Multiple NMIs").  A jump links nothing either: nobody ever goes
; back to the interrupted task, whose TSS stays busy.
FRAG task_leave, 32
	MARK M_NMI
	mov al, 0x61
	out 0x80, al
	MARK M_INSN
	jmp 0x2222:0x11111111                    ; a TSS: the offset means nothing
	PATCH P_TASK, 2
END

FRAG task_work, 32
	MARK M_TASK
	mov al, 0x62
	out 0x80, al
	MARK M_FIRST
.next:
	inc dword [dword 0x11111111]
	PATCH P_GATE, 4
	jmp .next
	MARK M_END
END

; Takes its time, and returns to the task in its link.  The next NMI goes on behind the IRET.
FRAG task_finite, 32
	MARK M_NMI
.nmi:
	mov ebx, 0x11111111
	PATCH P_GATE, 4
	inc dword [ebx]
	cmp dword [ebx], 1
	jne .back
	mov al, 0x61
	out 0x80, al
	rdtsc
	mov ecx, eax
	MARK M_FIRST
.wait:
	pause
	rdtsc
	sub eax, ecx
	cmp eax, 0x11111111
	PATCH P_PERIOD, 4
	jb .wait
	MARK M_END
.back:
	iretd
	jmp .nmi
END

; #DB.  KVM on AMD steps over an IRET behind which an NMI waits, with RFLAGS.TF of its own (svm.c:
; svm_enable_nmi_window).  A CPU that lets it emulate the task switch never shows that TF; the svm
; testbed's, which switches by itself, leaves it in the TSS of the NMI's task.  So do here what
; kernels do with a single step that nobody asked for: clear TF.
FRAG task_db, 32
	MARK M_FAULT
	and dword [esp + 8], ~(1 << 8)
	iretd
END

BLOB
