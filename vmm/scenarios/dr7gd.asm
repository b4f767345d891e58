; An SMI handler that loads the DR7 which the SMI saved, and reads it back.  With DR7.GD in it the
; read is a #DB (SDM vol. 3, 18.2.2 "general detect"), in a handler that expects none.
%include "frag.inc"

; --- the handler, by processor mode; EBX and EAX are junk before ----------------------------------
%macro HANDLER 3                    ; bits, accumulator, return from the exception
FRAG smm_idt%1, %1
%if %1 == 64
	lidt [abs dword 0x11111111]
%else
	lidt [dword 0x11111111]
%endif
	PATCH P_IDTR, 4
	mov esp, 0x11111111
	PATCH P_STACK, 4
END
FRAG copy_dr7_%1, %1
	mov ebx, 0x11111111
	PATCH P_SAVED, 4
	mov %2, [ebx]
	MARK M_COPY
	mov dr7, %2
END
FRAG read_dr7_%1, %1
	MARK M_READ
	mov %2, dr7
END
FRAG db_entry%1, %1
	MARK M_FAULT
	mov al, 0x52
	out 0x80, al
END
FRAG db_return%1, %1
	%3
END
FRAG other_fault%1, %1
	MARK M_HANDLER
.halt:
	hlt
	jmp .halt
END
%endmacro
HANDLER 32, eax, iretd
HANDLER 64, rax, iretq

; --- outside SMM ----------------------------------------------------------------------------------
FRAG set_dr7, 64
	mov eax, 0x11111111
	PATCH P_DR7, 4
	mov dr7, rax
END

BLOB
