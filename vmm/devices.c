/*
 * Knows what answers on which port.  A device of bytes sees each byte of a wider access at that
 * byte's own port, as on an 8-bit bus; on ports of nobody the bus floats.
 */
#include "vmm/devices.h"

#include <string.h>
#include <time.h>

/* Adding a device: its functions, its line in ports[], and in devnote.c what a snapshot keeps. */
struct port {
	uint16_t first, last;
	bool whole; /* sees an access as one, of the size it has, at the first port */
	uint32_t (*read)(struct vmm_devices *d, uint16_t port);
	void (*write)(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
		      struct vmm_heard *h);
};

static uint32_t serial_read(struct vmm_devices *d, uint16_t port)
{
	return vmm_serial_read(&d->serial, port & 7);
}

static void serial_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
			 struct vmm_heard *h)
{
	(void)size;
	(void)h;
	vmm_serial_write(&d->serial, port & 7, (uint8_t)value);
}

static uint32_t platform_read(struct vmm_devices *d, uint16_t port)
{
	return vmm_platform_read(&d->platform, port);
}

static void platform_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
			   struct vmm_heard *h)
{
	static const char *const text[] = {
		[VMM_PLATFORM_RESET_I8042] = "the guest reset the machine, through the i8042",
		[VMM_PLATFORM_RESET_92] = "the guest reset the machine, through port 0x92",
		[VMM_PLATFORM_RESET_CF9] = "the guest reset the machine, through port 0xcf9",
		[VMM_PLATFORM_OFF] = "the guest switched the machine off",
	};
	enum vmm_platform_end end = vmm_platform_write(&d->platform, port, (uint8_t)value);

	(void)size;
	if (end != VMM_PLATFORM_ON)
		h->end = text[end];
}

static uint32_t rtc_read(struct vmm_devices *d, uint16_t port)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return vmm_rtc_read(&d->rtc, port & 1, now.tv_sec, (unsigned)(now.tv_nsec / 1000));
}

static void rtc_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
		      struct vmm_heard *h)
{
	struct timespec now;

	(void)size;
	(void)h;
	clock_gettime(CLOCK_REALTIME, &now); /* time() may be a tick behind it */
	vmm_rtc_write(&d->rtc, port & 1, (uint8_t)value, now.tv_sec);
}

/* The selector takes 16 bits; the data register gives bytes. */
static void fwcfg_select(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
			 struct vmm_heard *h)
{
	(void)port;
	(void)h;
	if (size == 2)
		vmm_fwcfg_select(&d->fwcfg, (uint16_t)value);
}

static uint32_t fwcfg_read(struct vmm_devices *d, uint16_t port)
{
	(void)port;
	return vmm_fwcfg_read(&d->fwcfg);
}

static void fwcfg_dma(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
		      struct vmm_heard *h)
{
	(void)h;
	if (size == 4)
		vmm_fwcfg_dma(&d->fwcfg, port == VMM_FWCFG_DMA, value, d->mem);
}

/* "QEMU CFG": that there is DMA. */
static uint32_t fwcfg_dma_read(struct vmm_devices *d, uint16_t port)
{
	uint32_t v;

	(void)d;
	memcpy(&v, port == VMM_FWCFG_DMA ? "QEMU" : " CFG", sizeof(v));
	return v;
}

static void ignore(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
		   struct vmm_heard *h)
{
	(void)d;
	(void)port;
	(void)size;
	(void)value;
	(void)h;
}

static void post_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
		       struct vmm_heard *h)
{
	uint8_t code = (uint8_t)value;

	(void)d;
	(void)port;
	(void)size;
	h->post = true;
	h->posts[code >> 6] |= UINT64_C(1) << (code & 63);
	h->last_post = code;
}

static void result_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
			 struct vmm_heard *h)
{
	(void)d;
	(void)port;
	if (size != 4)
		return;
	h->result = true;
	h->value = value;
}

/* pvpanic (QEMU's docs/specs/pvpanic.txt): what it knows reads as 1, "panicked". */
static uint32_t panic_read(struct vmm_devices *d, uint16_t port)
{
	(void)d;
	(void)port;
	return 1;
}

static void panic_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
			struct vmm_heard *h)
{
	(void)d;
	(void)port;
	(void)size;
	if (!(value & 1))
		return;
	h->end = "the guest panicked";
	h->panic = true;
}

static void exit_write(struct vmm_devices *d, uint16_t port, unsigned size, uint32_t value,
		       struct vmm_heard *h)
{
	(void)d;
	(void)port;
	(void)size;
	h->exit_code = (uint8_t)value;
	h->end = "the guest ended";
}

static const struct port ports[] = {
	{VMM_PORT_SERIAL, VMM_PORT_SERIAL + 7, false, serial_read, serial_write},
	{0x60, 0x60, false, platform_read, platform_write},
	{0x64, 0x64, false, platform_read, platform_write},
	{0x70, 0x71, false, rtc_read, rtc_write},
	{0x92, 0x92, false, platform_read, platform_write},
	{0xcf8, 0xcf8, true, NULL,
	 ignore}, /* PCI's address, 32 bits: no reset by its second byte */
	{0xcf9, 0xcf9, false, platform_read, platform_write},
	{VMM_PM1_STATUS, VMM_PM1_CONTROL + 1, false, platform_read, platform_write},
	{VMM_FWCFG_SELECTOR, VMM_FWCFG_SELECTOR, true, NULL, fwcfg_select},
	{VMM_FWCFG_SELECTOR + 1, VMM_FWCFG_SELECTOR + 1, false, fwcfg_read, ignore},
	{VMM_FWCFG_DMA, VMM_FWCFG_DMA, true, fwcfg_dma_read, fwcfg_dma},
	{VMM_FWCFG_DMA + 4, VMM_FWCFG_DMA + 4, true, fwcfg_dma_read, fwcfg_dma},
	{VMM_PORT_POST, VMM_PORT_POST, true, NULL, post_write},
	{VMM_PORT_RESULT, VMM_PORT_RESULT, true, NULL, result_write},
	{VMM_PORT_PANIC, VMM_PORT_PANIC, false, panic_read, panic_write},
	{VMM_PORT_EXIT, VMM_PORT_EXIT, true, NULL, exit_write},
};

static const struct port *port_of(uint16_t port)
{
	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
		if (port >= ports[i].first && port <= ports[i].last)
			return &ports[i];
	return NULL;
}

static void access_byte(struct vmm_devices *d, bool out, uint16_t port, uint8_t *data,
			struct vmm_heard *h)
{
	const struct port *p = port_of(port);

	if (out && p && !p->whole)
		p->write(d, port, 1, *data, h);
	else if (!out)
		*data = p && !p->whole && p->read ? (uint8_t)p->read(d, port) : 0xff;
}

static void access_one(struct vmm_devices *d, bool out, uint16_t port, unsigned size, uint8_t *data,
		       struct vmm_heard *h)
{
	const struct port *p = port_of(port);
	uint32_t v = UINT32_MAX;

	if (!p || !p->whole) {
		for (unsigned i = 0; i < size; i++)
			access_byte(d, out, (uint16_t)(port + i), data + i, h);
	} else if (out) {
		v = 0;
		memcpy(&v, data, size);
		p->write(d, port, size, v, h);
	} else {
		if (p->read)
			v = p->read(d, port);
		memcpy(data, &v, size);
	}
}

struct vmm_heard vmm_devices_io(struct vmm_devices *d, bool out, uint16_t port, unsigned size,
				uint32_t count, uint8_t *data)
{
	struct vmm_heard h = {.last_post = -1, .exit_code = -1};

	if (size != 1 && size != 2 && size != 4)
		return h;
	for (uint32_t i = 0; i < count; i++)
		access_one(d, out, port, size, data + (size_t)i * size, &h);
	return h;
}

void vmm_devices_mmio(struct vmm_devices *d, bool is_write, uint64_t gpa, uint8_t *data,
		      uint32_t len)
{
	uint64_t off = gpa - VMM_VIRTIO_GPA;
	bool virtio = off < VMM_VIRTIO_BYTES && len <= VMM_VIRTIO_BYTES - off;

	if (virtio && is_write)
		vmm_virtio_write(&d->virtio, (uint32_t)off, data, len, d->mem);
	else if (virtio)
		vmm_virtio_read(&d->virtio, (uint32_t)off, data, len);
	else if (!is_write)
		memset(data, 0xff, len);
}

static void serial_send(void *arg, uint8_t byte)
{
	const struct vmm_devices *d = arg;

	if (d->send)
		d->send(d->listener, byte);
}

static void serial_irq(void *arg, bool level)
{
	const struct vmm_devices *d = arg;

	if (d->irq)
		d->irq(d->arg, VMM_GSI_SERIAL, level);
}

static void virtio_irq(void *arg, bool level)
{
	const struct vmm_devices *d = arg;

	if (d->irq)
		d->irq(d->arg, VMM_GSI_VIRTIO, level);
}

void vmm_devices_init(struct vmm_devices *d)
{
	*d = (struct vmm_devices){0};
	d->serial.arg = d;
	d->serial.send = serial_send;
	d->serial.irq = serial_irq;
	vmm_serial_reset(&d->serial);
	vmm_platform_reset(&d->platform);
	vmm_rtc_reset(&d->rtc);
	vmm_fwcfg_reset(&d->fwcfg);
	d->virtio.arg = d;
	d->virtio.irq = virtio_irq;
	vmm_virtio_reset(&d->virtio, NULL);
}
