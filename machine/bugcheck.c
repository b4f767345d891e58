/*
 * Knows the names of Windows' bug checks, and of the common ones what their parameters mean.
 * Source: Microsoft Learn, "Bug Check Code Reference"; bugcodes.h.
 */
#include "machine/windows.h"

#include <stddef.h>

#define RESERVED "reserved"
#define EXCEPTION                                                                                  \
	{                                                                                          \
		"exception code", "address at which it occurred", "its parameter 0",               \
			"its parameter 1"                                                          \
	}
#define IRQL                                                                                       \
	{                                                                                          \
		"memory that was referenced", "IRQL at that time",                                 \
			"0 read, 1 write, 2 or 8 execute", "address of the code that did it"       \
	}

static const struct bugcheck {
	uint32_t code;
	const char *name;
	const char *parameter[4]; /* NULL: it depends, or we do not know */
} bugchecks[] = {
	{0x01,
	 "APC_INDEX_MISMATCH",
	 {"address of the system call", "ApcStateIndex", "CombinedApcDisable", "call type"}},
	{0x0a, "IRQL_NOT_LESS_OR_EQUAL", IRQL},
	{0x18, "REFERENCE_BY_POINTER", {"object type", "object", RESERVED, RESERVED}},
	{0x19, "BAD_POOL_HEADER", {"what was found to be wrong"}},
	{0x1a, "MEMORY_MANAGEMENT", {"what was found to be wrong"}},
	{0x1e, "KMODE_EXCEPTION_NOT_HANDLED", EXCEPTION},
	{0x24, "NTFS_FILE_SYSTEM", {"source file and line"}},
	{0x2e, "DATA_BUS_ERROR", {"linear address", "physical address", "PSR", "FIR"}},
	{0x34, "CACHE_MANAGER", {"source file and line", RESERVED, RESERVED, RESERVED}},
	{0x3b,
	 "SYSTEM_SERVICE_EXCEPTION",
	 {"exception code", "address of the instruction", "address of its context record", "0"}},
	{0x3d, "INTERRUPT_EXCEPTION_NOT_HANDLED", {"exception record", "context record", "0", "0"}},
	{0x44,
	 "MULTIPLE_IRP_COMPLETE_REQUESTS",
	 {"address of the IRP", RESERVED, RESERVED, RESERVED}},
	{0x4e, "PFN_LIST_CORRUPT", {"what was found to be wrong"}},
	{0x50,
	 "PAGE_FAULT_IN_NONPAGED_AREA",
	 {"memory that was referenced", "0 read, 2 write, 16 execute",
	  "address of the code that did it", "kind of the fault"}},
	{0x51, "REGISTRY_ERROR", {RESERVED, RESERVED, "hive", "return code of the check"}},
	{0x5c, "HAL_INITIALIZATION_FAILED", {NULL}},
	{0x74, "BAD_SYSTEM_CONFIG_INFO", {RESERVED, RESERVED, RESERVED, "NT status"}},
	{0x77,
	 "KERNEL_STACK_INPAGE_ERROR",
	 {"status or 0, 1, 2", "status of the read", NULL, NULL}},
	{0x7a,
	 "KERNEL_DATA_INPAGE_ERROR",
	 {"lock type or 1, 2, 3, 4", "error status", NULL,
	  "linear address that could not be paged in"}},
	{0x7b, "INACCESSIBLE_BOOT_DEVICE", {"device object or name", NULL, NULL, NULL}},
	{0x7c, "BUGCODE_NDIS_DRIVER", {"what was found to be wrong"}},
	{0x7e,
	 "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED",
	 {"exception code", "address at which it occurred", "exception record", "context record"}},
	{0x7f, "UNEXPECTED_KERNEL_MODE_TRAP", {"vector: 8 double fault, 13 #GP", NULL, NULL, NULL}},
	{0x80, "NMI_HARDWARE_FAILURE", {"0x4f4454", "0", "0", "0"}},
	{0x8e,
	 "KERNEL_MODE_EXCEPTION_NOT_HANDLED",
	 {"exception code", "address at which it occurred", "trap frame", RESERVED}},
	{0x9c,
	 "MACHINE_CHECK_EXCEPTION",
	 {"bank", "address of MCA_EXCEPTION", "upper half of MCi_STATUS",
	  "lower half of MCi_STATUS"}},
	{0x9f,
	 "DRIVER_POWER_STATE_FAILURE",
	 {"kind: 3 a device blocked an IRP too long, 4 timeout", NULL, NULL, NULL}},
	{0xa0, "INTERNAL_POWER_ERROR", {"kind", NULL, NULL, NULL}},
	{0xa5, "ACPI_BIOS_ERROR", {"kind", NULL, NULL, NULL}},
	{0xbe,
	 "ATTEMPTED_WRITE_TO_READONLY_MEMORY",
	 {"address of the write", "page-table entry", RESERVED, RESERVED}},
	{0xc1, "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION", {"address freed", NULL, "0", "kind"}},
	{0xc2, "BAD_POOL_CALLER", {"what was found to be wrong"}},
	{0xc4, "DRIVER_VERIFIER_DETECTED_VIOLATION", {"what was found to be wrong"}},
	{0xc5, "DRIVER_CORRUPTED_EXPOOL", IRQL},
	{0xc9, "DRIVER_VERIFIER_IOMANAGER_VIOLATION", {"what was found to be wrong"}},
	{0xd1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL", IRQL},
	{0xd5,
	 "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
	 {"memory that was referenced", "0 read, 1 write", "address of the code that did it",
	  RESERVED}},
	{0xda, "SYSTEM_PTE_MISUSE", {"what was found to be wrong"}},
	{0xde, "POOL_CORRUPTION_IN_FILE_AREA", {NULL}},
	{0xe2, "MANUALLY_INITIATED_CRASH", {"0", "0", "0", "0"}},
	{0xea,
	 "THREAD_STUCK_IN_DEVICE_DRIVER",
	 {"thread", "watchdog object", "name of the driver", "how often"}},
	{0xef,
	 "CRITICAL_PROCESS_DIED",
	 {"process or thread object", "0 a process, 1 a thread", RESERVED, RESERVED}},
	{0xf4,
	 "CRITICAL_OBJECT_TERMINATION",
	 {"3 a process, 6 a thread", "object", "name of its image", "message"}},
	{0xf7,
	 "DRIVER_OVERRAN_STACK_BUFFER",
	 {"cookie found", "cookie wanted", "complement of the cookie wanted", "0"}},
	{0xfc,
	 "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY",
	 {"address", "page-table entry", RESERVED, RESERVED}},
	{0xfe, "BUGCODE_USB_DRIVER", {"what was found to be wrong"}},
	{0x101,
	 "CLOCK_WATCHDOG_TIMEOUT",
	 {"clock interrupt time-out, in nominal clock ticks", "0",
	  "PRCB of the processor that does not respond",
	  "0; newer Windows: number of that processor"}},
	{0x109,
	 "CRITICAL_STRUCTURE_CORRUPTION",
	 {RESERVED, RESERVED, RESERVED, "kind of what was changed"}},
	{0x10d, "WDF_VIOLATION", {"kind", NULL, NULL, NULL}},
	{0x10e, "VIDEO_MEMORY_MANAGEMENT_INTERNAL", {"kind", NULL, NULL, NULL}},
	{0x113, "VIDEO_DXGKRNL_FATAL_ERROR", {"kind", NULL, NULL, NULL}},
	{0x116,
	 "VIDEO_TDR_FAILURE",
	 {"recovery context", "address in the driver", "error of the last operation", NULL}},
	{0x117,
	 "VIDEO_TDR_TIMEOUT_DETECTED",
	 {"recovery context", "address in the driver", NULL, NULL}},
	{0x119, "VIDEO_SCHEDULER_INTERNAL_ERROR", {"kind", NULL, NULL, NULL}},
	{0x121, "DRIVER_VIOLATION", {"kind", NULL, RESERVED, RESERVED}},
	{0x122, "WHEA_INTERNAL_ERROR", {"kind", NULL, NULL, NULL}},
	{0x124,
	 "WHEA_UNCORRECTABLE_ERROR",
	 {"source: 0 machine check, 3 NMI, 4 PCI Express, 5 generic",
	  "address of the WHEA_ERROR_RECORD", "of a machine check: upper half of MCi_STATUS",
	  "of a machine check: lower half of MCi_STATUS"}},
	{0x127, "PAGE_NOT_ZERO", {"address in the page", "page frame number", "0", "0"}},
	{0x12b,
	 "FAULTY_HARDWARE_CORRUPTED_PAGE",
	 {"linear address that maps the page", "page frame number", "0", "0"}},
	{0x133,
	 "DPC_WATCHDOG_VIOLATION",
	 {"0: one DPC ran too long; 1: too long at DISPATCH_LEVEL or above",
	  "0: ticks it took; 1: period of the watchdog", "0: ticks it may take", NULL}},
	{0x139,
	 "KERNEL_SECURITY_CHECK_FAILURE",
	 {"kind: 3 a list entry is corrupt", "trap frame", "exception record", RESERVED}},
	{0x13a, "KERNEL_MODE_HEAP_CORRUPTION", {"kind", "heap", "address", RESERVED}},
	{0x144, "BUGCODE_USB3_DRIVER", {"what was found to be wrong"}},
	{0x14f, "PDC_WATCHDOG_TIMEOUT", {"client", "kind", "context", NULL}},
	{0x154,
	 "UNEXPECTED_STORE_EXCEPTION",
	 {"store context", "exception information", RESERVED, RESERVED}},
	{0x161, "LIVE_SYSTEM_DUMP", {"of the program that asked", NULL, NULL, NULL}},
	{0x1a1, "WIN32K_CALLOUT_WATCHDOG_LIVEDUMP", {NULL}},
	{0x1ca,
	 "SYNTHETIC_WATCHDOG_TIMEOUT",
	 {"time-out of the hypervisor's watchdog, in ticks", "ticks now",
	  "ticks at the last answer", RESERVED}},
	{0x20001, "HYPERVISOR_ERROR", {"kind", NULL, NULL, NULL}},
	{0x1000007e,
	 "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M",
	 {"exception code", "address at which it occurred", "exception record", "context record"}},
	{0x1000007f,
	 "UNEXPECTED_KERNEL_MODE_TRAP_M",
	 {"vector: 8 double fault, 13 #GP", NULL, NULL, NULL}},
	{0x1000008e,
	 "KERNEL_MODE_EXCEPTION_NOT_HANDLED_M",
	 {"exception code", "address at which it occurred", "trap frame", RESERVED}},
	{0xc0000218, "STATUS_CANNOT_LOAD_REGISTRY_FILE", {"name of the file", "0", "0", "0"}},
	{0xc000021a, "WINLOGON_FATAL_ERROR", {"what ended", "its status", NULL, NULL}},
	{0xdeaddead, "MANUALLY_INITIATED_CRASH1", {NULL}},
};

static const struct bugcheck *find(uint32_t code)
{
	for (size_t i = 0; i < sizeof(bugchecks) / sizeof(*bugchecks); i++)
		if (bugchecks[i].code == code)
			return &bugchecks[i];
	return NULL;
}

const char *machine_bugcheck_name(uint32_t code)
{
	const struct bugcheck *b = find(code);

	return b ? b->name : NULL;
}

const char *machine_bugcheck_parameter(uint32_t code, unsigned int nr)
{
	const struct bugcheck *b = find(code);

	return b && nr >= 1 && nr <= 4 ? b->parameter[nr - 1] : NULL;
}
