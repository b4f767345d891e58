; Every core works out a checksum over its registers and a table, round by round, and waits for a
; tick of its LAPIC timer after each.  Whatever a snapshot loses shows in the result: a register, a
; byte of the table, XMM1 (in user mode), the timer (then no round ever ends).
; r12 state, r13 rounds left, r14 table, r15 tick counter, rbp factor, rsi addend.
%include "frag.inc"

%macro STEP 0
	imul r12, rbp
	add r12, rsi
	mov rax, r12
	shr rax, 29
	xor r12, rax
	mov rax, r12
	shr rax, 56
	xor r12, [r14 + rax * 8]
	add [r14 + rax * 8], r12
%endmacro

; Once, at a drawn round: now there is something to save.
%macro POST_ONCE 0
	dec r13d
	cmp r13d, 0x11111111
	PATCH P_POST_AT, 4
	jne %%on
	mov al, 0x40
	out 0x80, al
%%on:
%endmacro

; The result goes to port 0x600.
%macro DONE 0
	mov rax, r12
	shr rax, 32
	xor eax, r12d
	mov dx, 0x600
	out dx, eax
	cli
%%halt:
	hlt
	jmp %%halt
%endmacro

FRAG sum_begin, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff            ; SVR: on, spurious vector 0xff
	mov dword [rbx + 0x3e0], 0xb             ; divide by 1
	mov dword [rbx + 0x320], 0x22222222      ; LVT timer: periodic, vector
	PATCH P_VECTOR, 4
	mov dword [rbx + 0x380], 0x22222222      ; initial count
	PATCH P_PERIOD, 4
	mov rbp, 0x1111111111111111
	PATCH P_FACTOR, 8
	mov rsi, 0x1111111111111111
	PATCH P_ADDEND, 8
	mov r12, 0x1111111111111111
	PATCH P_SEED, 8
	mov r13d, 0x11111111
	PATCH P_ROUNDS, 4
	mov r14, 0x1111111111111111
	PATCH P_TABLE, 8
	mov r15, 0x1111111111111111
	PATCH P_COUNTER, 8
END

; In CPL 0 all the time; it sleeps until the tick.
FRAG sum_kernel, 64
.round:
	mov ecx, 0x11111111
	PATCH P_STEPS, 4
.step:
	STEP
	dec ecx
	jnz .step
	mov rax, [r15]
.wait:
	hlt
	cmp rax, [r15]
	je .wait
	POST_ONCE
	test r13d, r13d
	jnz .round
	DONE
END

; In CPL 3, at linear = physical addresses; spins until the tick, then calls sum_call by #UD.
FRAG sum_user, 64
	mov rax, cr4
	or eax, 0x600                            ; OSFXSR, OSXMMEXCPT
	mov cr4, rax
	shl r14, 25
	shr r14, 25
	shl r15, 25
	shr r15, 25
	push 0x2b
	mov rax, 0x1111111111111111
	PATCH P_STACK, 8
	push rax
	push 0x202
	push 0x33
	mov rax, strict qword .user - frag_sum_user
	PATCH P_SELF, 8
	shl rax, 25
	shr rax, 25
	push rax
	iretq
.user:
	pxor xmm1, xmm1
.round:
	mov ecx, 0x11111111
	PATCH P_STEPS, 4
.step:
	STEP
	movq xmm0, r12
	paddq xmm1, xmm0
	dec ecx
	jnz .step
	movq rax, xmm1
	xor r12, rax
	mov rax, [r15]
.wait:
	cmp rax, [r15]
	je .wait
	ud2                                      ; not every KVM lets user mode do int n
	jmp .round
END

; In a hypervisor's guest: r11 its counter of exits, which goes into the sum.  rbx, rcx and rdx are
; lost to CPUID.
FRAG sum_l2, 64
	mov rbp, 0x1111111111111111
	PATCH P_FACTOR, 8
	mov rsi, 0x1111111111111111
	PATCH P_ADDEND, 8
	mov r12, 0x1111111111111111
	PATCH P_SEED, 8
	mov r13d, 0x11111111
	PATCH P_ROUNDS, 4
	mov r14, 0x1111111111111111
	PATCH P_TABLE, 8
	mov r15, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov r11, 0x1111111111111111
	PATCH P_GATE, 8
.round:
	mov ecx, 0x11111111
	PATCH P_STEPS, 4
.step:
	STEP
	dec ecx
	jnz .step
	inc qword [r15]
	xor eax, eax
	cpuid
	add r12, [r11]
	POST_ONCE
	test r13d, r13d
	jnz .round
	DONE
END

FRAG sum_known, 64
	mov eax, 0x11111111
	PATCH P_SEED, 4
	mov dx, 0x600
	out dx, eax
END

FRAG sum_call, 64
	MARK M_CALL
	add qword [rsp], 2                       ; behind ud2
	POST_ONCE
	test r13d, r13d
	jz .done
	iretq
.done:
	DONE
END

BLOB
