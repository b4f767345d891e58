/* The MC146818 clock and its CMOS memory: the time of day.  It raises no interrupts. */
#ifndef VMM_RTC_H
#define VMM_RTC_H

#include <stdbool.h>
#include <stdint.h>

enum { VMM_RTC_BYTES = 128, VMM_RTC_CENTURY = 0x32 };

/* All that it remembers, as a snapshot holds it. */
struct vmm_rtc {
	int64_t offset;              /* seconds; its clock minus the host's */
	uint8_t cmos[VMM_RTC_BYTES]; /* those of date and time are unused */
	uint8_t index;               /* below VMM_RTC_BYTES */
	uint8_t pad[7];              /* 0 */
};

/* As a PC's firmware leaves it: BCD, 24 hours. */
void vmm_rtc_reset(struct vmm_rtc *r);

/*
 * port: 0 index, 1 data.  now: seconds since 1970 by the host's clock, UTC; us: microseconds of
 * that second.
 */
uint8_t vmm_rtc_read(const struct vmm_rtc *r, unsigned port, int64_t now, unsigned us);
void vmm_rtc_write(struct vmm_rtc *r, unsigned port, uint8_t value, int64_t now);

/* Could a guest have made it so?  For a foreign one. */
bool vmm_rtc_valid(const struct vmm_rtc *r);

#endif
