; Cores that sleep until the next tick of their LAPIC timer, which never comes: article 004's machines
; hung because a timer that everybody relied on was silent, and nothing in the guest's memory said so.
; The core ticks three times first, so the timer did work once.
%include "frag.inc"

; LVT timer and initial count come from the scenario; the rest is an idle core's.
FRAG timer_sleep, 64
	mov ebx, 0xfee00000
	mov dword [rbx + 0xf0], 0x1ff            ; SVR: on, spurious vector 0xff
	mov dword [rbx + 0x3e0], 0xb             ; divide by 1
	mov dword [rbx + 0x320], 0x22222222      ; LVT timer: mode, vector
	PATCH P_VECTOR, 4
	mov dword [rbx + 0x380], 0x22222222      ; initial count
	PATCH P_PERIOD, 4
.idle:
	sti
	hlt
	jmp .idle
END

; Masks its own timer at the third tick, as a driver does that hands over to another clock, and
; there is no other.
FRAG tick_mask, 64
	MARK M_HANDLER
	push rax
	push rbx
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	inc qword [rbx]
	cmp qword [rbx], 3
	mov ebx, 0xfee00000
	jne .eoi
	or dword [rbx + 0x320], 1 << 16
	mov al, 0x70
	out 0x80, al
.eoi:
	mov dword [rbx + 0xb0], 0
	pop rbx
	pop rax
	iretq
END

; One-shot: each tick arms the next, but for the third.
FRAG tick_stop, 64
	MARK M_HANDLER
	push rax
	push rbx
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	inc qword [rbx]
	cmp qword [rbx], 3
	mov ebx, 0xfee00000
	jae .last
	mov dword [rbx + 0x380], 0x22222222
	PATCH P_PERIOD, 4
	jmp .eoi
.last:
	mov al, 0x70
	out 0x80, al
.eoi:
	mov dword [rbx + 0xb0], 0
	pop rbx
	pop rax
	iretq
END

BLOB
