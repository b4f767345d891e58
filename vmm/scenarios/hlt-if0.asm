; A core that stops with interrupts off: nothing but NMI, SMI or INIT starts it again.
%include "frag.inc"

FRAG halt, 64
	mov al, 0x20
	out 0x80, al
	cli
.again:
	hlt
	jmp .again
END

BLOB
