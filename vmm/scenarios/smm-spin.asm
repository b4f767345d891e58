; An SMI handler that waits for a word in memory.  It starts at SMBASE + 0x8000 in KVM's entry
; state: 16-bit code, data segments flat, CS based at SMBASE.
%include "frag.inc"

FRAG smi_entry, 16
	mov al, 0x51
	out 0x80, al
END

; --- into 32-bit protected mode, and on into 64-bit mode ------------------------------------------
FRAG to32, 16
	o32 a32 lgdt [dword 0x11111111]
	PATCH P_GDTR, 4
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword 0x08:.pm - frag_to32
	PATCH P_SELF, 4, 2
	bits 32
.pm:
	mov eax, 0x10
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
END

FRAG to64, 32
	mov eax, cr4
	or eax, 1 << 5
	mov cr4, eax
	mov eax, 0x11111111
	PATCH P_CR3, 4
	mov cr3, eax
	mov ecx, 0xc0000080
	rdmsr
	or eax, 1 << 8
	wrmsr
	mov eax, cr0
	or eax, 1 << 31
	mov cr0, eax
	jmp dword 0x18:.lm - frag_to64
	PATCH P_SELF, 4, 2
	bits 64
.lm:
END

; --- last mark before the loop --------------------------------------------------------------------
%macro READY 1
FRAG ready%1, %1
	mov esp, 0x11111111
	PATCH P_STACK, 4
	mov al, 0x52
	out 0x80, al
END
FRAG leave%1, %1
	mov al, 0x5f
	out 0x80, al
	rsm
END
%endmacro
READY 16
READY 32
READY 64

; --- the shapes.  S32: registers of 32 bits in all modes; in 64-bit mode some use 64 --------------
%macro LOAD_TEST 1
FRAG load_test%1, %1, SHAPE, NZ, 4, ANY
	MARK M_FIRST
.top:
	MARK M_INSN
	mov ecx, [dword 0x11111111]
	PATCH P_GATE, 4
	test ecx, ecx
	jz .top
	MARK M_END
END
%endmacro
LOAD_TEST 16
LOAD_TEST 32

; As UEFI firmware compiled for x64 would have it.
FRAG load_test64, 64, SHAPE, NZ, 8, SMRAM
	MARK M_FIRST
.top:
	MARK M_INSN
	mov rax, [rel .top + 0x11111111]
	PATCH P_REL, 4
	test rax, rax
	je .top
	MARK M_END
END

%macro CMP_IMM 2                    ; bits, base register
FRAG cmp_imm%1, %1, SHAPE, EQ, 4, ANY
	mov e%2, 0x11111111
	PATCH P_BASE, 4
	MARK M_FIRST
.top:
	MARK M_INSN
	cmp dword [e%2 + 0x11111111], 0x22222222
	PATCH P_DISP, 4, 4
	PATCH P_WANT, 4
	jne .top
	MARK M_END
END
%endmacro
CMP_IMM 16, bx
CMP_IMM 32, si

FRAG cmp_imm64, 64, SHAPE, EQ, 4, ANY
	mov r13, 0x1111111111111111
	PATCH P_BASE, 8
	MARK M_FIRST
.top:
	MARK M_INSN
	cmp dword [r13 + 0x11111111], 0x22222222
	PATCH P_DISP, 4, 4
	PATCH P_WANT, 4
	jne .top
	MARK M_END
END

; Real mode at its most real: a segment, a 16-bit base, a bit.
FRAG test_bx16, 16, SHAPE, TEST_NZ, 1, LOW
	mov cx, 0x1111
	PATCH P_SEG, 2
	mov ds, cx
	mov bx, 0x1111
	PATCH P_OFF16, 2
	MARK M_FIRST
.top:
	MARK M_INSN
	test byte [bx + 0x1111], 0x11
	PATCH P_DISP16, 2, 1
	PATCH P_MASK, 1
	jz .top
	MARK M_END
END

FRAG test_byte32, 32, SHAPE, TEST_NZ, 1, ANY
	mov ebx, 0x11111111
	PATCH P_BASE, 4
	MARK M_FIRST
.top:
	MARK M_INSN
	test byte [ebx + 0x11111111], 0x11
	PATCH P_DISP, 4, 1
	PATCH P_MASK, 1
	jz .top
	MARK M_END
END

FRAG test_byte64, 64, SHAPE, TEST_NZ, 1, ANY
	mov r9, 0x1111111111111111
	PATCH P_BASE, 8
	mov ebp, 0x11111111
	PATCH P_DISP, 4
	movsxd rbp, ebp
	MARK M_FIRST
.top:
	pause
	MARK M_INSN
	test byte [r9 + rbp], 0x11
	PATCH P_MASK, 1
	jz .top
	MARK M_END
END

; A polite loop: PAUSE, things that compilers leave inside, a jump as its back edge.
%macro PAUSE_PAD 2
FRAG pause_pad%1, %1, SHAPE, EQ, 2, ANY
	mov %2, 0x11111111
	PATCH P_BASE, 4
	MARK M_FIRST
.top:
	pause
	nop
	lea ecx, [edx + 0x11]
	PATCH P_JUNK, 1
	mov ebp, ecx
	xor ebp, edx
	db 0x0f, 0x1f, 0x40, 0x00
	MARK M_INSN
	cmp word [%2 + 0x11111111], 0x2222
	PATCH P_DISP, 4, 2
	PATCH P_WANT, 2
	je .out
	mov ecx, edx
	jmp .top
	MARK M_END
.out:
END
%endmacro
PAUSE_PAD 16, esi
PAUSE_PAD 32, edi
PAUSE_PAD 64, ebx                   ; with address-size prefix

%macro MASK_CMP 1
FRAG mask_cmp%1, %1, SHAPE, MASK_EQ, 4, ANY
	mov esi, 0x11111111
	PATCH P_MASK, 4
	mov edi, 0x11111111
	PATCH P_GATE, 4
	MARK M_FIRST
.top:
	MARK M_INSN
	mov edx, [edi]
	and edx, esi
	cmp edx, 0x11111111
	PATCH P_WANT, 4
	jne .top
	MARK M_END
END
%endmacro
MASK_CMP 16
MASK_CMP 32

FRAG mask_cmp64, 64, SHAPE, MASK_EQ, 8, ANY
	mov rsi, 0x1111111111111111
	PATCH P_MASK, 8
	mov r8, 0x1111111111111111
	PATCH P_WANT, 8
	mov rdi, 0x1111111111111111
	PATCH P_BASE, 8
	MARK M_FIRST
.top:
	MARK M_INSN
	mov rdx, [rdi + 0x11111111]
	PATCH P_DISP, 4
	and rdx, rsi
	cmp rdx, r8
	jne .top
	MARK M_END
END

; The dead loop of firmware asserts: a local variable that is zero and stays it.
%macro DEAD_LOOP 4                  ; bits, frame pointer, size, width
FRAG dead_loop%1, %1, SHAPE, NZ, %4, STACK
	mov %2, 0x11111111
	PATCH P_BASE, 4
	mov %3 [%2 + 0x11111111], 0
	PATCH P_DISP, 4, 4
	MARK M_FIRST
.top:
	MARK M_INSN
	cmp %3 [%2 + 0x11111111], byte 0
	PATCH P_DISP, 4, 1
	je .top
	MARK M_END
END
%endmacro
DEAD_LOOP 16, ebp, dword, 4
DEAD_LOOP 32, ebp, dword, 4

FRAG dead_loop64, 64, SHAPE, NZ, 8, STACK
	mov ebp, 0x11111111
	PATCH P_BASE, 4
	mov qword [rbp + 0x11111111], 0
	PATCH P_DISP, 4, 4
	MARK M_FIRST
.top:
	MARK M_INSN
	mov rax, [rbp + 0x11111111]
	PATCH P_DISP, 4
	test rax, rax
	je .top
	MARK M_END
END

; Two blocks, the second reached by a jump over what is never run.
%macro TWO_BLOCK 2
FRAG two_block%1, %1, SHAPE, NE, 1, ANY
	mov %2, 0x11111111
	PATCH P_BASE, 4
	jmp .top
	MARK M_FIRST
.out_of_line:
	cmp al, 0x11
	PATCH P_WANT, 1
	jne .out
	pause
	jmp .top
	db 0x0f, 0x0b
.top:
	MARK M_INSN
	mov al, [%2 + 0x11111111]
	PATCH P_DISP, 4
	jmp .out_of_line
	MARK M_END
.out:
END
%endmacro
TWO_BLOCK 16, edi
TWO_BLOCK 32, edx
TWO_BLOCK 64, edx

; --- rendezvous: count yourself in, wait until all are there --------------------------------------
%macro ARRIVE 1
FRAG arrive%1, %1, PLAIN, EQ, 4, ANY
	mov edi, 0x11111111
	PATCH P_GATE, 4
	lock inc dword [edi]
	MARK M_FIRST
.top:
	pause
	MARK M_INSN
	cmp dword [edi], 0x22222222
	PATCH P_WANT, 4
	jne .top
	MARK M_END
END
%endmacro
ARRIVE 16
ARRIVE 32
ARRIVE 64

; --- as firmware waits that shows where it is: a POST code each time, so that each pass is an exit ---
%macro POST_WAIT 1
FRAG post_wait%1, %1, PLAIN, NZ, 4, ANY
	mov edi, 0x11111111
	PATCH P_GATE, 4
	MARK M_FIRST
.top:
	mov al, 0x53
	out 0x80, al
	MARK M_INSN
	mov eax, [edi]
	test eax, eax
	jz .top
	MARK M_END
END
%endmacro
POST_WAIT 16
POST_WAIT 32
POST_WAIT 64

; --- near-miss: the loop gives up at a time, however far away --------------------------------------
%macro RDTSC_LOOP 1
FRAG rdtsc%1, %1, PLAIN, NZ, 4, ANY
	mov edi, 0x11111111
	PATCH P_GATE, 4
	rdtsc
	lea esi, [edx + 0x11111111]
	PATCH P_FAR, 4
	MARK M_FIRST
.top:
	MARK M_INSN
	mov eax, [edi]
	test eax, eax
	jnz .out
	rdtsc
	cmp edx, esi
	jb .top
	MARK M_END
.out:
END
%endmacro
RDTSC_LOOP 16
RDTSC_LOOP 32
RDTSC_LOOP 64

BLOB
