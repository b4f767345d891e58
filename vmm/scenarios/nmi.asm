; NMIs, and what keeps them away.  An NMI blocks further ones until the next IRET, whoever executes
; it and whatever becomes of it (SDM vol. 3, "Handling Multiple NMIs"); article 003 is about the
; ways in which that goes wrong.  The hit core counts until its first NMI comes.
%include "frag.inc"

; Never returns: the second NMI waits for ever.
FRAG nmi_forever, 64
	MARK M_NMI
	mov al, 0x61
	out 0x80, al
	MARK M_FIRST
.spin:
	pause
	jmp .spin
	MARK M_END
END

; An interrupt becomes pending while the handler runs, with interrupts off as every gate leaves them.
FRAG nmi_irq, 64
	MARK M_NMI
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff            ; SVR: on
	mov dword [rbx + 0x3e0], 0xb             ; divide by 1
	mov dword [rbx + 0x320], 0x22222222      ; LVT timer: one-shot, vector
	PATCH P_VECTOR, 4
	mov dword [rbx + 0x380], 0x22222222
	PATCH P_PERIOD, 4
.wait:
	mov eax, [rbx + 0x11111111]              ; the vector's word of IRR
	PATCH P_DISP, 4
	test eax, 0x11111111
	PATCH P_MASK, 4
	jz .wait
	mov al, 0x61
	out 0x80, al
	MARK M_FIRST
.spin:
	pause
	jmp .spin
	MARK M_END
END

; An exception inside the handler, through an interrupt gate; nobody comes back from it.
FRAG nmi_fault, 64
	MARK M_NMI
	mov rax, 0x1111111111111111
	PATCH P_JUNK, 8
	MARK M_INSN
	ud2
END

; Its first run takes an exception, whose IRET unblocks NMIs too early; the second NMI then lands on
; the same IST stack and overwrites the frame that the first one needs.
FRAG nmi_again, 64
	MARK M_NMI
	mov rbx, 0x1111111111111111
	PATCH P_GATE, 8
	inc dword [rbx]
	cmp dword [rbx], 1
	jne .second
	ud2
	mov al, 0x61
	out 0x80, al
	MARK M_FIRST
.first:
	pause
	jmp .first
	MARK M_END
.second:
	mov al, 0x62
	out 0x80, al
.spin:
	pause
	jmp .spin
END

; Returns to an address that is none.  The manuals let the IRET itself fault; QEMU's CPU, under the
; svm testbed's KVM, completes it and faults at the target, so the frame may be of either.
FRAG nmi_bad_iret, 64
	MARK M_NMI
	mov rax, 0x7711111111111111
	mov [rsp], rax
	mov al, 0x61
	out 0x80, al
	MARK M_INSN
	iretq
END

; Takes its time, and returns: the NMI that waits behind it is served then.  When both were, every
; core gives a result that tells how many there were.
FRAG nmi_finite, 64
	MARK M_NMI
	push rax
	push rbx
	push rdx
	mov rbx, 0x1111111111111111
	PATCH P_GATE, 8
	inc dword [rbx]
	cmp dword [rbx], 1
	jne .back
	mov al, 0x61
	out 0x80, al
	rdtsc
	shl rdx, 32
	lea rbx, [rdx + rax]
	MARK M_FIRST
.wait:
	pause
	rdtsc
	shl rdx, 32
	add rax, rdx
	sub rax, rbx
	cmp rax, 0x11111111
	PATCH P_PERIOD, 4
	jb .wait
	MARK M_END
.back:
	pop rdx
	pop rbx
	pop rax
	iretq
END

%macro NMI_RESULT 4                 ; bits, register, its bytes, a value as wide
FRAG nmi_result%1, %1
	mov %2, %4
	PATCH P_GATE, %3
	mov al, 0x10
	out 0x80, al
.both:
	cmp dword [%2], 2
	jb .both
	mov eax, [%2]
	imul eax, eax, 0x11111111
	PATCH P_FACTOR, 4
	mov dx, 0x600
	out dx, eax
	cli
.halt:
	hlt
	jmp .halt
END
%endmacro
NMI_RESULT 32, ebx, 4, 0x11111111
NMI_RESULT 64, rbx, 8, 0x1111111111111111

; Handler of the exceptions above.
FRAG fault_forever, 64
	MARK M_FAULT
	mov al, 0x63
	out 0x80, al
.spin:
	pause
	jmp .spin
END

FRAG fault_skip2, 64
	MARK M_FAULT
	add qword [rsp], 2                       ; behind ud2
	iretq
END

; A debugger left RFLAGS.TF behind: each instruction of this core is followed by a #DB, whose handler
; knows nothing of it.
FRAG trap_count, 64
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	pushfq
	or dword [rsp], 1 << 8
	popfq
.next:
	inc qword [rbx]
	jmp .next
END

FRAG trap_return, 64
	MARK M_FAULT
	push rax
	mov rax, 0x1111111111111111
	PATCH P_GATE, 8
	inc dword [rax]
	cmp dword [rax], 100
	jne .back
	mov al, 0x61
	out 0x80, al
.back:
	pop rax
	iretq
END

BLOB
