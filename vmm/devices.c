/*
 * Knows what answers on the ports: an 8250 that is always ready to send (transmit and line status
 * registers only), the POST port, and the floating bus everywhere else.
 */
#include "vmm/devices.h"

#include <string.h>

enum { SERIAL_LSR = VMM_PORT_SERIAL + 5, LSR_EMPTY = 0x60 };

static void serial_send(struct vmm_devices *d, const uint8_t *data, size_t n)
{
	if (!d->serial)
		return;
	fwrite(data, 1, n, d->serial);
	if (memchr(data, '\n', n))
		fflush(d->serial);
}

int vmm_devices_io(struct vmm_devices *d, bool out, uint16_t port, unsigned size, uint32_t count,
		   uint8_t *data)
{
	size_t n = (size_t)size * count;

	if (!out) {
		memset(data, port == SERIAL_LSR ? LSR_EMPTY : 0xff, n);
		return -1;
	}
	if (port == VMM_PORT_SERIAL && size == 1)
		serial_send(d, data, n);
	return port == VMM_PORT_POST && n ? data[n - size] : -1;
}

void vmm_devices_mmio(bool is_write, uint8_t *data, uint32_t len)
{
	if (!is_write)
		memset(data, 0xff, len);
}
