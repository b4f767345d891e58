; A multiboot kernel for the tests, that uses devices as drivers do.  The first letter of its command
; line says what: e echoes what comes by interrupt, in capitals, until a q, after a
; prompt; l leaves what came in the
; receiver for 2^32 cycles of the TSC, then prints it; c, f, k reset the machine through port 0xcf9,
; 0x92 or the keyboard controller; o switches it off; t prints the clock's year; w writes the
; round's number to 3072 pages, round after round for 2^32 cycles, and ends with 9 when a page does not
; have the last round's.
bits 32
org 0x100000
SERIAL equ 0x3f8
header:
	dd 0x1badb002, 0x10003, -(0x1badb002 + 0x10003)
	dd header, header, filled, end, start
start:
	mov esp, stack
	mov esi, [ebx + 16]
	mov al, [esi]
	cmp al, 'e'
	je echo
	cmp al, 'l'
	je late
	cmp al, 'c'
	je by_cf9
	cmp al, 'f'
	je by_92
	cmp al, 'k'
	je by_kbd
	cmp al, 'o'
	je off
	cmp al, 't'
	je clock
	cmp al, 'w'
	je rounds
	ud2

by_cf9:
	mov dx, 0xcf9
	mov al, 2
	out dx, al
	mov al, 6
	out dx, al
	hlt
by_92:
	in al, 0x92
	or al, 1
	out 0x92, al
	hlt
by_kbd:
	in al, 0x64
	test al, 2
	jnz by_kbd
	mov al, 0xfe
	out 0x64, al
	hlt
off:
	mov dx, 0xb004
	mov ax, 5 << 10 | 1 << 13
	out dx, ax
	hlt

rounds:
	rdtsc
	lea ebp, [edx + 1]
	mov edi, eax			; until then
	xor ebx, ebx			; the last round
.round:
	mov esi, 0x200000
.page:
	cmp [esi], ebx
	jne .stale
	lea eax, [ebx + 1]
	mov [esi], eax
	add esi, 0x1000
	cmp esi, 0xe00000
	jb .page
	inc ebx
	rdtsc
	cmp edx, ebp
	jb .round
	ja over
	cmp eax, edi
	jb .round
	jmp over
.stale:
	mov al, 9
	out 0xf4, al

clock:
	mov al, 0x32			; century
	call digits
	mov al, 9			; year
	call digits
	jmp over
digits:
	out 0x70, al
	in al, 0x71
	mov ah, al
	shr al, 4
	add al, '0'
	call put
	mov al, ah
	and al, 15
	add al, '0'
put:
	mov dx, SERIAL
	out dx, al
	ret

late:
	mov dx, SERIAL + 5
	in al, dx
	test al, 1
	jz late
	rdtsc
	mov ecx, edx
	add ecx, 2
.wait:
	pause
	rdtsc
	cmp edx, ecx
	jb .wait
	mov dx, SERIAL
	in al, dx
	call put
over:
	mov al, 10
	call put
	mov al, 0
	out 0xf4, al

; IRQ4 through the PIC, at vector 0x24
echo:
	mov eax, served
	mov [idt + 0x24 * 8], ax
	mov [idt + 0x24 * 8 + 2], cs
	mov word [idt + 0x24 * 8 + 4], 0x8e00
	shr eax, 16
	mov [idt + 0x24 * 8 + 6], ax
	lidt [idtr]
	mov al, 0x11
	out 0x20, al
	mov al, 0x20
	out 0x21, al
	mov al, 4
	out 0x21, al
	mov al, 1
	out 0x21, al
	mov al, ~0x10 & 0xff
	out 0x21, al
	mov dx, SERIAL + 2
	mov al, 0x41			; FIFOs, interrupt at 4 bytes
	out dx, al
	mov dx, SERIAL + 4
	mov al, 8			; OUT2
	out dx, al
	mov dx, SERIAL + 1
	mov al, 1			; received data
	out dx, al
	mov al, '>'
	call put
idle:
	sti
	hlt
	jmp idle
served:
	mov dx, SERIAL + 5
	in al, dx
	test al, 1
	jz .done
	mov dx, SERIAL
	in al, dx
	cmp al, 'q'
	je over
	and al, 0xdf
	call put
	jmp served
.done:
	mov al, 0x20
	out 0x20, al
	add esp, 12			; no IRET: not every KVM emulates it
	jmp idle
idtr:
	dw 0x25 * 8 - 1
	dd idt
filled:

idt equ filled + 16
stack equ idt + 0x1000
end equ stack
