; Cores whose page tables are wrong: what the walk meets, and what the fault leaves behind.
%include "frag.inc"

; Counts a little, then writes where the tables are damaged.  The handler of the #PF knows no remedy.
FRAG bad_store, 64
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
	mov ecx, 0x22222222
	PATCH P_ROUNDS, 4
.next:
	inc qword [rbx]
	dec ecx
	jnz .next
	mov rdx, 0x1111111111111111
	PATCH P_GATE, 8
	MARK M_INSN
	mov [rdx], ax
	mov al, 0x62                             ; the store went well
	out 0x80, al
.on:
	inc qword [rbx]
	jmp .on
END

; Recurses without an end.  Behind the last page of its stack lies a page that is not there, so the
; #PF finds no room for its frame either: a double fault, on a stack of its own.
FRAG recurse, 64
	mov rbx, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
.deeper:
	inc qword [rbx]
	MARK M_INSN
	call .deeper
END

; Would serve the #PF, had it room.
FRAG page_served, 64
	MARK M_HANDLER
	add rsp, 8
	iretq
END

BLOB
