; A hypervisor as small as can be, for either vendor, and its guest.  Only a few registers of the
; guest are used, so that there is little to keep.  Formats: AMD APM vol. 2, appendix B (VMCB);
; SDM vol. 3, appendix B (VMCS field encodings).
%include "frag.inc"

; --- both: the page of VMCB or VMCS, made empty; the next one is HSAVE or the VMXON region ---------
FRAG l1_start, 64
	mov edi, 0x11111111
	PATCH P_TABLE, 4
	mov ecx, 2 * 4096 / 8
	xor eax, eax
	rep stosq
END

; --- Intel; not executed on AMD -------------------------------------------------------------------
%macro VMW 2                        ; field, value in rax
	%2
	mov edx, %1
	vmwrite rdx, rax
%endmacro
%macro F 2
	dd %1, %2
%endmacro
FRAG l1_vmx, 64
	mov eax, 1
	xor ecx, ecx
	cpuid
	test ecx, 1 << 5
	jz .end
	mov rax, cr4
	or eax, 1 << 13                 ; VMXE
	mov cr4, rax
	mov ecx, 0x3a                   ; IA32_FEATURE_CONTROL
	rdmsr
	test al, 1
	jnz .locked
	or eax, 5                       ; locked, VMX outside SMX
	wrmsr
.locked:
	mov ecx, 0x480                  ; IA32_VMX_BASIC: the revision
	rdmsr
	mov edi, 0x11111111
	PATCH P_TABLE, 4
	mov [rdi], eax
	mov [rdi + 4096], eax
	push rdi
	add qword [rsp], 4096
	vmxon [rsp]
	mov [rsp], rdi
	vmclear [rsp]
	vmptrld [rsp]
	jbe .failed
	; what must be 1, and what is wanted besides
	lea rsi, [rel .controls]
	mov edi, 4
.control:
	mov ecx, [rsi]
	rdmsr
	or eax, [rsi + 4]
	mov edx, [rsi + 8]
	vmwrite rdx, rax
	add rsi, 12
	dec edi
	jnz .control
	; nested tables are AMD's until here: leaves write-back (SDM vol. 3, 29.3.2), one as drawn
	mov eax, 0x11111111
	PATCH P_NP, 4
	test eax, eax
	jz .flat
	mov eax, 0x11111111
	PATCH P_NCR3, 4
	lea rdi, [rax + 0x2000]         ; its four page directories
	mov ecx, 2048
.leaf:
	or byte [rdi], 6 << 3
	add rdi, 8
	loop .leaf
	or eax, 6 | 3 << 3              ; EPTP: write-back, four levels
	mov edx, 0x201a
	vmwrite rdx, rax
	mov edi, 0x11111111
	PATCH P_EPT_AT, 4
	mov rax, 0x1111111111111111
	PATCH P_EPT, 8
	mov [rdi], rax
	mov edx, 0x4002
	vmread rax, rdx
	bts eax, 31                     ; secondary controls
	vmwrite rdx, rax
	mov ecx, 0x48b
	rdmsr
	or eax, 1 << 1                  ; EPT
	mov edx, 0x401e
	vmwrite rdx, rax
.flat:
	; the same for both
	VMW 0x6c00, {mov rax, cr0}
	VMW 0x6800, nop
	VMW 0x6c02, {mov rax, cr3}
	VMW 0x6802, nop
	VMW 0x6c04, {mov rax, cr4}
	VMW 0x6804, nop
	sub rsp, 16
	sgdt [rsp + 6]
	VMW 0x6c0c, {mov rax, [rsp + 8]}
	VMW 0x6816, nop
	VMW 0x4810, {movzx eax, word [rsp + 6]}
	sidt [rsp + 6]
	VMW 0x6c0e, {mov rax, [rsp + 8]}
	VMW 0x6818, nop
	VMW 0x4812, {movzx eax, word [rsp + 6]}
	lea rsi, [rel .fields]
	mov edi, (.fields_end - .fields) / 8
.field:
	mov edx, [rsi]
	movsxd rax, [rsi + 4]
	vmwrite rdx, rax
	add rsi, 8
	dec edi
	jnz .field
	mov rax, 0x1111111111111111
	PATCH P_TSS, 8
	VMW 0x6c0a, nop
	VMW 0x6814, nop
	VMW 0x6c14, {mov rax, rsp}
	lea rax, [rel .exit]
	VMW 0x6c16, nop
	mov eax, 0x11111111
	PATCH P_DR7, 4
	VMW 0x681a, nop
	mov rax, 0x1111111111111111
	PATCH P_STACK, 8
	VMW 0x681c, nop
	mov rax, 0x1111111111111111
	PATCH P_L2, 8
	VMW 0x681e, nop
	vmlaunch
.failed:
	mov al, 0x7e
	out 0x80, al
	hlt
	jmp .failed
.exit:
	push rax
	push rdx
	mov rax, 0x1111111111111111
	PATCH P_GATE, 8
	inc qword [rax]
	mov edx, 0x4402                 ; exit reason
	vmread rax, rdx
	cmp eax, 10                     ; CPUID
	je .skip
	cmp eax, 29                     ; MOV DR
	je .skip
	cmp eax, 49                     ; EPT misconfiguration: as if the page had only been missing
	jne .failed
	mov al, 0x71                    ; for who watches: the VMM hears of no other exit
	out 0x80, al
	pop rdx
	pop rax
	vmresume
	jmp .failed
.skip:
	push rcx
	mov edx, 0x440c                 ; length of the instruction
	vmread rcx, rdx
	mov edx, 0x681e
	vmread rax, rdx
	add rax, rcx
	vmwrite rdx, rax
	pop rcx
	pop rdx
	pop rax
	vmresume
	jmp .failed
.controls:                              ; MSR of what must be 1, what is wanted, field
	dd 0x48d, 0, 0x4000
	dd 0x48e, 1 << 23, 0x4002       ; exits by MOV DR
	dd 0x48f, 1 << 9 | 1 << 2, 0x400c ; 64-bit host, saves debug controls
	dd 0x490, 0x11111111
	PATCH P_ENTRY, 4
	dd 0x4012
.fields:                                ; all others are 0; sign-extended
	F 0x2800, -1                    ; link pointer
	F 0x0c02, 0x08
	F 0x0c0c, 0x18
	F 0x0802, 0x08
	F 0x4802, -1
	F 0x4816, 0xa09b
	F 0x0804, 0x10
	F 0x4804, -1
	F 0x4818, 0xc093
	F 0x4814, 0x10000               ; unusable: ES DS FS GS LDTR
	F 0x481a, 0x10000
	F 0x481c, 0x10000
	F 0x481e, 0x10000
	F 0x4820, 0x10000
	F 0x080e, 0x18
	F 0x480e, 0x67
	F 0x4822, 0x8b
	F 0x6820, 0x202                 ; interrupts on
.fields_end:
.end:
END

; --- AMD --------------------------------------------------------------------------------------------
FRAG l1_svm, 64
	mov ecx, 0xc0000080
	rdmsr
	or eax, 1 << 12                 ; EFER.SVME
	wrmsr
	mov esi, eax
	mov edi, 0x11111111
	PATCH P_TABLE, 4
	mov ecx, 0xc0010117             ; VM_HSAVE_PA
	lea eax, [rdi + 4096]
	xor edx, edx
	wrmsr
	mov dword [rdi + 0x04], 0x11111111
	PATCH P_DRS, 4
	mov dword [rdi + 0x0c], 1 << 18 ; CPUID
	mov dword [rdi + 0x10], 3       ; VMRUN, VMMCALL
	mov dword [rdi + 0x58], 1       ; ASID
	mov dword [rdi + 0x90], 0x11111111
	PATCH P_NP, 4
	mov dword [rdi + 0xb0], 0x11111111
	PATCH P_NCR3, 4
	mov rax, rdi
	vmsave
	add edi, 0x400
	mov dword [rdi], 0x0c930010     ; ES CS SS DS: attributes and selector, limit
	mov dword [rdi + 0x04], -1
	mov dword [rdi + 0x10], 0x0a9b0008
	mov dword [rdi + 0x14], -1
	mov dword [rdi + 0x20], 0x0c930010
	mov dword [rdi + 0x24], -1
	mov dword [rdi + 0x30], 0x0c930010
	mov dword [rdi + 0x34], -1
	sgdt [rdi + 0x66]               ; its limit goes into the upper half of a limit's place
	shr dword [rdi + 0x64], 16
	sidt [rdi + 0x86]
	shr dword [rdi + 0x84], 16
	mov [rdi + 0xd0], rsi
	mov rax, cr4
	mov [rdi + 0x148], rax
	mov rax, cr3
	mov [rdi + 0x150], rax
	mov rax, cr0
	mov [rdi + 0x158], rax
	mov dword [rdi + 0x160], 0x11111111
	PATCH P_DR7, 4
	mov eax, 0xffff0ff0
	mov [rdi + 0x168], rax
	mov dword [rdi + 0x170], 0x202
	mov rax, 0x1111111111111111
	PATCH P_L2, 8
	mov [rdi + 0x178], rax
	mov rax, 0x1111111111111111
	PATCH P_STACK, 8
	mov [rdi + 0x1d8], rax
	mov rax, 0x0007040600070406
	mov [rdi + 0x268], rax          ; PAT
	lea rax, [rdi - 0x400]
.run:
	vmrun
	push rcx                        ; rax and rsp are ours again, the rest is the guest's
	mov rcx, 0x1111111111111111
	PATCH P_GATE, 8
	inc qword [rcx]
	mov ecx, [rax + 0x70]           ; exit code
	cmp ecx, 0x72                   ; CPUID
	je .skip2
	cmp ecx, 0x400                  ; nested page fault: as if the page had only been missing
	je .again
	sub ecx, 0x20
	cmp ecx, 0x20                   ; an access to a DR
	jb .skip3
.failed:
	mov al, 0x7e
	out 0x80, al
	hlt
	jmp .failed
.skip3:
	inc qword [rax + 0x578]
.skip2:
	add qword [rax + 0x578], 2
.again:
	pop rcx
	jmp .run
END

; --- the guest of either ------------------------------------------------------------------------
; Stores where its hypervisor's nested tables have a fault.
FRAG l2_store, 64
	mov rbx, 0x1111111111111111
	PATCH P_BASE, 8
	mov al, 0x70
	out 0x80, al
	MARK M_INSN
	mov [rbx], rbx
.never:
	cli
	hlt
	jmp .never
END

; Its IRET takes the frame from a page that is not in its hypervisor's nested tables.
FRAG l2_nmi, 64
	MARK M_NMI
	mov rsp, 0x1111111111111111
	PATCH P_BASE, 8
	mov al, 0x61
	out 0x80, al
	MARK M_INSN
	iretq
END

; For what the next exit to its hypervisor would undo.
FRAG l2_exit, 64
	xor eax, eax
	cpuid
END

FRAG l2_count, 64
	mov r11, 0x1111111111111111
	PATCH P_COUNTER, 8
	mov al, 0x10
	out 0x80, al
.next:
	inc qword [r11]
	test dword [r11], 0xffff
	jnz .next
	xor eax, eax
	cpuid                           ; an exit to its hypervisor
	jmp .next
END

BLOB
