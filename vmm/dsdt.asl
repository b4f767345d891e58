/*
 * What devices the machine has and where: vmm/devices.c, as ACPI (its specification 6.4, chapter 19)
 * says it.  The identifiers QEMU0001 (pvpanic), QEMU0002 (fw_cfg) and LNRO0005 (virtio over MMIO)
 * are those that guests' drivers look for.
 */
DefinitionBlock ("", "DSDT", 2, "INQVMM", "INQUESTV", 1)
{
	Name (\_S5, Package () { 5, 5, 0, 0 }) // off, as VMM_SLP_TYP_S5

	Scope (\_SB)
	{
		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate () { IO (Decode16, 0x70, 0x70, 1, 2) })
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3f8, 0x3f8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}

		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Name (_STA, 0x0f)
			Name (_CRS, ResourceTemplate () { IO (Decode16, 0x505, 0x505, 1, 1) })
		}

		Device (FWCF)
		{
			Name (_HID, "QEMU0002")
			Name (_STA, 0x0b)
			Name (_CRS, ResourceTemplate () { IO (Decode16, 0x510, 0x510, 1, 12) })
		}

		Device (VIO0) // without a disk its device ID is 0, and drivers leave it alone
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 0)
			Name (_CCA, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xd0000000, 0x1000)
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 5 }
			})
		}
	}
}
