; Cores that wait for each other for ever, with interrupts on and all of them well as far as their
; registers tell: only who waits for what shows that it cannot end.
%include "frag.inc"

; Holds one lock and wants another, whose holder wants the first.  Both took their first one before
; either asks for its second, so this is no race that may go well.
FRAG lock_two, 64
	mov rbx, 0x1111111111111111              ; the lock that it gets
	PATCH P_BASE, 8
	mov rdx, 0x1111111111111111              ; the lock that it never gets
	PATCH P_GATE, 8
	mov eax, 1
	xchg [rbx], eax
.both:
	pause
	cmp dword [rdx], 0
	je .both
	mov al, 0x70
	out 0x80, al
	MARK M_FIRST
.spin:
	mov eax, 1
	MARK M_INSN
	xchg [rdx], eax
	test eax, eax
	jz .got
	pause
	jmp .spin
	MARK M_END
.got:
	ud2
END

; Sends a fixed interrupt to another core and waits until its handler answers.
FRAG ipi_send, 64
	mov rdx, 0x1111111111111111              ; the other one is where it shall be
	PATCH P_BASE, 8
.ready:
	pause
	cmp dword [rdx], 0
	je .ready
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff            ; SVR: on
	mov dword [rbx + 0x310], 0x22222222      ; ICR: to whom
	PATCH P_FACTOR, 4
	mov dword [rbx + 0x300], 0x22222222      ; ICR: fixed, assert, vector
	PATCH P_ADDEND, 4
	mov al, 0x70
	out 0x80, al
	mov rdx, 0x1111111111111111              ; the answer
	PATCH P_GATE, 8
	MARK M_FIRST
.wait:
	pause
	MARK M_INSN
	cmp dword [rdx], 0
	je .wait
	MARK M_END
	ud2
END

; A core whose LAPIC is off by software: it counts, and fixed interrupts pass it by (SDM vol. 3,
; "Local APIC State After It Has Been Software Disabled").
FRAG ipi_deaf, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0xff             ; SVR: bit 8 clear
	mov rdx, 0x1111111111111111
	PATCH P_BASE, 8
	mov dword [rdx], 1
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
.next:
	inc qword [rbx]
	jmp .next
END

; Would answer, if it were ever called.
FRAG ipi_answer, 64
	MARK M_HANDLER
	push rax
	mov rax, 0x1111111111111111
	PATCH P_GATE, 8
	mov dword [rax], 1
	mov eax, 0xfee00000
	mov dword [rax + 0xb0], 0
	pop rax
	iretq
END

; Busy and well: takes a lock that all want, adds to what it guards, and now and then sends an
; interrupt to a neighbour; ticks meanwhile.
FRAG busy, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff
	mov dword [rbx + 0x3e0], 0xb
	mov dword [rbx + 0x320], 0x22222222
	PATCH P_VECTOR, 4
	mov dword [rbx + 0x380], 0x22222222
	PATCH P_PERIOD, 4
	mov rdx, 0x1111111111111111              ; the lock
	PATCH P_GATE, 8
	mov rsi, 0x1111111111111111              ; what it guards
	PATCH P_BASE, 8
	xor ecx, ecx
	sti
.round:
	mov eax, 1
.take:
	xchg [rdx], eax
	test eax, eax
	jz .got
	pause
	jmp .take
.got:
	inc qword [rsi]
	mov dword [rdx], 0
	inc ecx
	test ecx, 0x3ff
	jnz .round
	mov dword [rbx + 0x310], 0x22222222
	PATCH P_FACTOR, 4
	mov dword [rbx + 0x300], 0x22222222
	PATCH P_ADDEND, 4
	jmp .round
END

FRAG busy_ipi, 64
	MARK M_IPI
	push rax
	mov eax, 0xfee00000
	mov dword [rax + 0xb0], 0
	pop rax
	iretq
END

; Without an IDT the first exception is the last: #UD, then #GP on its gate, then the third fault.
FRAG no_idt, 64
	mov rax, strict qword .idtr - frag_no_idt
	PATCH P_SELF, 8
	lidt [rax]
	mov al, 0x70
	out 0x80, al
	jmp .on
.idtr:
	dw 0
	dq 0
.on:
END

FRAG last_ud, 64
	MARK M_INSN
	ud2
END
FRAG last_gp, 64
	mov rax, 0x7711111111111111              ; not canonical
	MARK M_INSN
	mov rax, [rax]
END
FRAG last_pf, 64
	mov rax, 0x7fff11111000                  ; canonical, and mapped by nobody
	MARK M_INSN
	mov [rax], rax
END

; A core that would answer: its LAPIC is on, and it counts with interrupts on.
FRAG ipi_ready, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff
	mov rdx, 0x1111111111111111
	PATCH P_BASE, 8
	mov dword [rdx], 1
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
.next:
	inc qword [rbx]
	jmp .next
END

; In x2APIC mode the page at 0xfee00000 is no LAPIC any more (SDM vol. 3, "x2APIC Mode"): what is
; written there goes nowhere, and nobody says so.
FRAG x2apic_on, 64
	mov ecx, 0x1b
	rdmsr
	or eax, 3 << 10
	wrmsr
END

; The serial port's interrupt, level-triggered.  Its handler gives the pin another vector before it
; ends the interrupt: the EOI finds no pin with the old one, and Remote IRR stays set (82093AA data
; sheet, 3.2.4).  From then on the pin is dead, whatever the line does.
FRAG rirr_wait, 64
	mov al, 0xff
	out 0x21, al                             ; not through the PIC
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff
	mov ecx, 0xfec00000
	mov dword [rcx], 0x19
	mov dword [rcx + 0x10], 0x22222222       ; to this core
	PATCH P_FACTOR, 4
	mov dword [rcx], 0x18
	mov dword [rcx + 0x10], 0x22222222       ; level, first vector
	PATCH P_VECTOR, 4
	mov rsi, 0x1111111111111111
	PATCH P_BASE, 8
	sti
	mov edx, 0x3fc
	mov al, 8
	out dx, al
	mov edx, 0x3f9
	mov al, 2
	out dx, al                               ; may send: the line rises
.first:
	pause
	cmp dword [rsi], 0
	je .first
	mov edx, 0x3f8
	mov al, 10
	out dx, al                               ; sent, may send again: it rises once more
	mov al, 0x70
	out 0x80, al
	MARK M_FIRST
.wait:
	pause
	MARK M_INSN
	cmp dword [rsi], 1
	je .wait
	MARK M_END
	ud2
END

FRAG rirr_serve, 64
	MARK M_HANDLER
	push rax
	push rcx
	push rdx
	mov ecx, 0xfec00000
	mov dword [rcx], 0x18
	mov dword [rcx + 0x10], 0x22222222       ; level, another vector
	PATCH P_ADDEND, 4
	mov edx, 0x3fa
	in al, dx                                ; the line falls
	mov rax, 0x1111111111111111
	PATCH P_BASE, 8
	inc dword [rax]
	mov eax, 0xfee00000
	mov dword [rax + 0xb0], 0
	pop rdx
	pop rcx
	pop rax
	iretq
END

; Would serve the new vector.
FRAG rirr_again, 64
	MARK M_IPI
	push rax
	mov rax, 0x1111111111111111
	PATCH P_BASE, 8
	inc dword [rax]
	mov eax, 0xfee00000
	mov dword [rax + 0xb0], 0
	pop rax
	iretq
END

; KVM finds a LAPIC by its id only after that one, or another, was switched on or off (lapic.c:
; kvm_recalculate_apic_map): the core does what every kernel does before it hears of an SMI.
FRAG lapic_on, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff
END

; An SMI handler that leaves its own cause behind.  It sends this core an SMI while the core is still
; in SMM, where one is latched and taken as soon as RSM has ended (SDM vol. 3, "SMI Handler Execution
; Environment"); so what the first SMI interrupted never gets on.  Firmware that does not clear the
; chipset's SMI status brings about the same.  Where the first SMI hit is noted: RIP from the saved
; state, and how far the code had counted.
FRAG smi_again, 16
	mov ebx, 0x11111111
	PATCH P_GATE, 4
	inc dword [ebx]
	mov eax, [ebx]
	cmp eax, 1
	jne .known
	mov ecx, [cs:0xff78]
	mov [dword 0x11111111], ecx
	PATCH P_BASE, 4
	mov ecx, [dword 0x11111111]
	PATCH P_COUNTER, 4
	mov [dword 0x11111111], ecx
	PATCH P_TABLE, 4
	mov al, 0x51
	out 0x80, al
	jmp .raise
.known:
	cmp eax, 0x11111111
	PATCH P_ROUNDS, 4
	jne .raise
	mov al, 0x5f
	out 0x80, al
.raise:
	mov ebx, 0xfee00000
	mov dword [ebx + 0x310], 0x22222222      ; ICR: to this core
	PATCH P_FACTOR, 4
	mov dword [ebx + 0x300], 0x4200          ; ICR: SMI, assert
	rsm
END

BLOB
