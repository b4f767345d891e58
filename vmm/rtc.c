/*
 * Knows the MC146818A (Motorola's data sheet) as PCs have it, the century at 0x32.  The clock is
 * the host's, moved by what the guest set; registers change all at once, at the end of an update.
 * There are no interrupts: their enable bits stay 0, and so does register C.
 */
#include "vmm/rtc.h"

#include <string.h>
#include <time.h>

enum {
	SECONDS = 0,
	MINUTES = 2,
	HOURS = 4,
	WEEKDAY = 6,
	DAY,
	MONTH,
	YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D
};
enum {
	A_DEFAULT = 0x26,
	A_BITS = 0x7f,
	A_UPDATING = 0x80, /* UIP */
	A_HELD = 0x60,     /* DV2 and DV1: the divider stands, in reset */
	B_SET = 0x80,      /* the clock stands, its registers are bytes */
	B_24H = 2,
	B_BINARY = 4,
	B_INTERRUPTS = 0x70,
	D_POWER = 0x80,
	PM = 0x80
};
/*
 * "Update cycle time" of a 32 kHz clock and "minimum time before update cycle" (table 3): UIP is
 * set for so long before a second ends.
 */
enum { SECOND_US = 1000000, UPDATE_US = 1984 + 244 };
/* Years 0000 to 9999, and no overflow on the way. */
static const int64_t max_offset = INT64_C(1) << 39;

void vmm_rtc_reset(struct vmm_rtc *r)
{
	*r = (struct vmm_rtc){0};
	r->cmos[REG_A] = A_DEFAULT;
	r->cmos[REG_B] = B_24H;
	r->cmos[REG_D] = D_POWER;
}

static bool is_time(unsigned i)
{
	return i == SECONDS || i == MINUTES || i == HOURS || (i >= WEEKDAY && i <= YEAR) ||
	       i == VMM_RTC_CENTURY;
}

static uint8_t encode(const struct vmm_rtc *r, int v)
{
	return (uint8_t)(r->cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static int decode(const struct vmm_rtc *r, uint8_t v)
{
	return r->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct vmm_rtc *r, int h)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, h);
	return (uint8_t)(encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? PM : 0));
}

static int decode_hour(const struct vmm_rtc *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~PM) % 12 + (v & PM ? 12 : 0);
}

static struct tm clock_of(const struct vmm_rtc *r, int64_t now)
{
	time_t t = (time_t)(now + r->offset);
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	return tm;
}

static uint8_t time_at(const struct vmm_rtc *r, unsigned i, int64_t now)
{
	struct tm tm = clock_of(r, now);
	int year = tm.tm_year + 1900;

	switch (i) {
	case SECONDS:
		return encode(r, tm.tm_sec % 60);
	case MINUTES:
		return encode(r, tm.tm_min);
	case HOURS:
		return encode_hour(r, tm.tm_hour);
	case WEEKDAY:
		return encode(r, tm.tm_wday + 1);
	case DAY:
		return encode(r, tm.tm_mday);
	case MONTH:
		return encode(r, tm.tm_mon + 1);
	case YEAR:
		return encode(r, (year % 100 + 100) % 100);
	default:
		return encode(r, (year / 100 % 100 + 100) % 100);
	}
}

/* Out of range values carry over in timegm(). */
static void set_field(const struct vmm_rtc *r, struct tm *tm, unsigned i, uint8_t v)
{
	int year = tm->tm_year + 1900, n = decode(r, v);

	switch (i) {
	case SECONDS:
		tm->tm_sec = n;
		break;
	case MINUTES:
		tm->tm_min = n;
		break;
	case HOURS:
		tm->tm_hour = decode_hour(r, v);
		break;
	case WEEKDAY: /* follows from the date */
		return;
	case DAY:
		tm->tm_mday = n;
		break;
	case MONTH:
		tm->tm_mon = n - 1;
		break;
	case YEAR:
		tm->tm_year = year / 100 * 100 + n - 1900;
		break;
	default:
		tm->tm_year = n * 100 + year % 100 - 1900;
		break;
	}
}

/* What is beyond all calendars is not taken. */
static void set_clock(struct vmm_rtc *r, struct tm *tm, int64_t now)
{
	int64_t offset = (int64_t)timegm(tm) - now;

	if (offset > -max_offset && offset < max_offset)
		r->offset = offset;
}

static void set_time(struct vmm_rtc *r, unsigned i, uint8_t v, int64_t now)
{
	struct tm tm = clock_of(r, now);

	if (r->cmos[REG_B] & B_SET) {
		r->cmos[i] = v;
		return;
	}
	set_field(r, &tm, i, v);
	set_clock(r, &tm, now);
}

/* SET holds the clock, whose registers are then taken as one date: the 31st may come before its
 * month. */
static void set_mode(struct vmm_rtc *r, uint8_t b, int64_t now)
{
	bool was = r->cmos[REG_B] & B_SET, is = b & B_SET;
	struct tm tm = clock_of(r, now);

	if (was && !is) { /* as they were written: in the mode until now */
		set_field(r, &tm, VMM_RTC_CENTURY, r->cmos[VMM_RTC_CENTURY]);
		for (unsigned i = 0; i < VMM_RTC_CENTURY; i++)
			if (is_time(i))
				set_field(r, &tm, i, r->cmos[i]);
		set_clock(r, &tm, now);
	}
	r->cmos[REG_B] = (uint8_t)(b & ~B_INTERRUPTS);
	for (unsigned i = 0; i < VMM_RTC_BYTES && was != is; i++)
		if (is_time(i))
			r->cmos[i] = is ? time_at(r, i, now) : 0;
}

static bool is_updating(const struct vmm_rtc *r, unsigned us)
{
	return us >= SECOND_US - UPDATE_US && !(r->cmos[REG_B] & B_SET) &&
	       (r->cmos[REG_A] & A_HELD) != A_HELD;
}

uint8_t vmm_rtc_read(const struct vmm_rtc *r, unsigned port, int64_t now, unsigned us)
{
	if (!port)
		return 0xff; /* the index cannot be read back */
	if (r->index == REG_A)
		return (uint8_t)(r->cmos[REG_A] | (is_updating(r, us) ? A_UPDATING : 0));
	return is_time(r->index) && !(r->cmos[REG_B] & B_SET) ? time_at(r, r->index, now)
							      : r->cmos[r->index];
}

void vmm_rtc_write(struct vmm_rtc *r, unsigned port, uint8_t value, int64_t now)
{
	if (!port)
		r->index = value & (VMM_RTC_BYTES - 1); /* bit 7 masks NMIs */
	else if (is_time(r->index))
		set_time(r, r->index, value, now);
	else if (r->index == REG_A)
		r->cmos[REG_A] = value & A_BITS;
	else if (r->index == REG_B)
		set_mode(r, value, now);
	else if (r->index != REG_C && r->index != REG_D)
		r->cmos[r->index] = value;
}

bool vmm_rtc_valid(const struct vmm_rtc *r)
{
	static const uint8_t zero[sizeof(r->pad)];

	for (unsigned i = 0; i < VMM_RTC_BYTES; i++)
		if (is_time(i) && r->cmos[i] && !(r->cmos[REG_B] & B_SET))
			return false;
	return r->index < VMM_RTC_BYTES && r->offset > -max_offset && r->offset < max_offset &&
	       !(r->cmos[REG_A] & ~A_BITS) && !(r->cmos[REG_B] & B_INTERRUPTS) && !r->cmos[REG_C] &&
	       r->cmos[REG_D] == D_POWER && !memcmp(r->pad, zero, sizeof(zero));
}
