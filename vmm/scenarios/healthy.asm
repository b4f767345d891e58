; A core with nothing to do: it sleeps with interrupts on and serves its periodic LAPIC timer.
%include "frag.inc"

FRAG idle, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff            ; SVR: on, spurious vector 0xff
	mov dword [rbx + 0x3e0], 0xb             ; divide by 1
	mov dword [rbx + 0x320], 0x22222222      ; LVT timer: periodic, vector
	PATCH P_VECTOR, 4
	mov dword [rbx + 0x380], 0x22222222      ; initial count
	PATCH P_PERIOD, 4
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
.idle:
	sti
	hlt
	jmp .idle
END

FRAG tick, 64
	MARK M_HANDLER
	push rax
	push rbx
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	inc qword [rbx]
	cmp qword [rbx], 3
	jne .eoi
	mov al, 0x30
	out 0x80, al
.eoi:
	mov eax, 0xfee00000
	mov dword [rax + 0xb0], 0
	pop rbx
	pop rax
	iretq
END

BLOB
