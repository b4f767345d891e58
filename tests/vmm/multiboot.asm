; A multiboot 1 kernel of the smallest kind, for the tests: a flat binary that names its own
; addresses.  It prints its command line to COM1, then ends with the code in its first digit, or
; triple-faults when that is no digit.
bits 32
org 0x100000
header:
	dd 0x1badb002, 0x10003, -(0x1badb002 + 0x10003)
	dd header, header, end, end, start
start:
	cmp eax, 0x2badb002
	jne dead
	mov esi, [ebx + 16]		; command line
	movzx ecx, byte [esi]
print:
	lodsb
	test al, al
	jz done
	mov dx, 0x3f8
	out dx, al
	jmp print
done:
	mov al, 10
	mov dx, 0x3f8
	out dx, al
	sub ecx, '0'
	cmp ecx, 9
	ja dead
	mov eax, ecx
	out 0xf4, al
dead:
	ud2				; no IDT
end:
