; What every scenario may use: padding, junk in registers, a CPU that lives and counts.
%include "frag.inc"

; --- padding: no memory, no flags that matter, no register that matters ------------------------
%macro PADS 1                       ; bits
FRAG pad%1_nop, %1, PAD
	nop
END
FRAG pad%1_nop3, %1, PAD
	db 0x0f, 0x1f, 0xc0
END
FRAG pad%1_mov, %1, PAD
	mov edx, 0x11111111
	PATCH P_JUNK, 4
END
FRAG pad%1_alu, %1, PAD
	xor ecx, 0x11111111
	PATCH P_JUNK, 4
	rol ecx, 7
END
FRAG pad%1_lea, %1, PAD
	lea ebp, [ecx + edx * 4 + 0x11]
	PATCH P_JUNK, 1
END
FRAG pad%1_xchg, %1, PAD
	xchg esi, edi
	not esi
END
FRAG pad%1_branch, %1, PAD
	cmp ecx, edx
	ja .over
	inc ecx
.over:
END
FRAG pad%1_imul, %1, PAD
	imul ebx, ecx, 0x11111111
	PATCH P_JUNK, 4
	bswap ebx
END
%endmacro
PADS 16
PADS 32
PADS 64

; --- junk in every general register but the stack pointer ---------------------------------------
%macro JUNK32 1
FRAG junk%1, %1
%rep 1
	mov eax, 0x11111111
	PATCH P_JUNK, 4
	mov ebx, 0x11111111
	PATCH P_JUNK, 4
	mov ecx, 0x11111111
	PATCH P_JUNK, 4
	mov edx, 0x11111111
	PATCH P_JUNK, 4
	mov esi, 0x11111111
	PATCH P_JUNK, 4
	mov edi, 0x11111111
	PATCH P_JUNK, 4
	mov ebp, 0x11111111
	PATCH P_JUNK, 4
%endrep
END
%endmacro
JUNK32 16
JUNK32 32

%macro JUNKREG 1
	mov %1, 0x1111111111111111
	PATCH P_JUNK, 8
%endmacro
FRAG junk64, 64
	JUNKREG rax
	JUNKREG rbx
	JUNKREG rcx
	JUNKREG rdx
	JUNKREG rsi
	JUNKREG rdi
	JUNKREG rbp
	JUNKREG r8
	JUNKREG r9
	JUNKREG r10
	JUNKREG r11
	JUNKREG r12
	JUNKREG r13
	JUNKREG r14
	JUNKREG r15
END

; --- a line on the serial port --------------------------------------------------------------------
%macro HELLO 2                      ; bits, register
FRAG hello%1, %1
	mov esi, 0x11111111
	PATCH P_TEXT, 4
	mov edx, 0x3f8
.next:
	mov al, [%2]
	test al, al
	jz .done
	out dx, al
	inc %2
	jmp .next
.done:
END
%endmacro
HELLO 32, esi
HELLO 64, rsi

; --- alive: count for ever ------------------------------------------------------------------------
FRAG count, 64
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
.next:
	inc qword [rbx]
	jmp .next
END

FRAG count32, 32
	mov ebx, 0x11111111
	PATCH P_COUNTER, 4
	mov al, 0x10
	out 0x80, al
.next:
	add dword [ebx], 1
	adc dword [ebx + 4], 0
	jmp .next
END

; Alive, and would open the gate after more rounds than anybody waits for.
%macro WRITER 2                     ; width, register
FRAG count_write%1, 64
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
.again:
	mov rcx, 0x1111111111111111
	PATCH P_FAR, 8
.next:
	inc qword [rbx]
	dec rcx
	jnz .next
	mov rdx, 0x1111111111111111
	PATCH P_OPEN, 8
	MARK M_WRITER
	mov [abs dword 0x11111111], %2
	PATCH P_GATE, 4
	jmp .again
END
%endmacro
WRITER 1, dl
WRITER 2, dx
WRITER 4, edx
WRITER 8, rdx

BLOB
