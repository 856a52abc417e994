/* inside_virtio SEED: as a machine's root, past its kernel: hands every virtio device of the machine
 * (virtio-mmio, at the addresses that /proc/iomem names) queues full of nonsense, and pokes at all
 * of its registers. Says what it found, then "begins", and after that it may never be heard again:
 * what carries its words is among what it attacks, and comes last.
 *
 * Registers: Virtual I/O Device (VIRTIO) Version 1.2, section 4.2.2; descriptors: 2.7.5. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, DEVICES_MAX = 32, ROUNDS = 100, QUEUES = 4, MAGIC = 0x74726976 };
enum {
	DEVICE_ID = 2,
	DRIVER_FEATURES = 8,
	QUEUE_SEL = 12,
	QUEUE_MAX = 13,
	QUEUE_NUM = 14,
	QUEUE_READY = 17,
	QUEUE_NOTIFY = 20
};
enum { STATUS = 28, QUEUE_DESC = 32, QUEUE_DRIVER = 36, QUEUE_DEVICE = 40, REGISTERS = PAGE / 4 };

struct device {
	volatile uint32_t *at;
	unsigned id;
};

/* As struct virtq_desc. */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

static uint64_t state;
static uint64_t frames[PAGES];
static unsigned char *pages;

/* xorshift64: the same seed attacks the same way. */
static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Pages of ours by their address in the machine; unknown, any will do. */
static void find_frames(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	for (int i = 0; i < PAGES; i++) {
		uint64_t entry = 0;
		off_t where = (off_t)((uintptr_t)(pages + i * PAGE) / PAGE * sizeof entry);
		if (pread(fd, &entry, sizeof entry, where) != (ssize_t)sizeof entry)
			entry = 0;
		frames[i] = (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
	}
}

/* Where a descriptor points: into our pages, off their ends, past memory, into the devices. */
static uint64_t an_address(void)
{
	static const uint64_t odd[] = {
		0, 0xfff, 0xd0000000, 0xfee00000, 0xfffff000, UINT64_C(1) << 40, UINT64_MAX - 7
	};
	uint64_t n = draw();

	if (n % 4 == 0)
		return odd[n / 4 % (sizeof odd / sizeof *odd)];
	return frames[n / 4 % PAGES] + (n % 4 == 1 ? 0 : n / 64 % (2 * PAGE));
}

static uint32_t a_length(void)
{
	static const uint32_t odd[] = { 0, 1, 3, 12, 40, PAGE, 1 << 20, UINT32_MAX };

	return odd[draw() % (sizeof odd / sizeof *odd)];
}

/* Descriptors with loops, indirections and wrong lengths, and rings that name all of them. */
static void fill_pages(void)
{
	struct descriptor *d = (struct descriptor *)(void *)pages;
	uint64_t *words = (uint64_t *)(void *)pages;

	for (size_t i = 0; i < (size_t)PAGES * PAGE / sizeof *words; i++)
		words[i] = draw();
	for (size_t i = 0; i < PAGE / sizeof *d; i++)
		d[i] = (struct descriptor){ an_address(), a_length(), (uint16_t)(draw() % 8),
			                    (uint16_t)(draw() % 260) };
}

static void set_address(volatile uint32_t *at, int low, uint64_t address)
{
	at[low] = (uint32_t)address;
	at[low + 1] = (uint32_t)(address >> 32);
}

static void set_up_queues(volatile uint32_t *at)
{
	for (uint32_t q = 0; q < QUEUES; q++) {
		at[QUEUE_SEL] = draw() % 16 ? q : (uint32_t)draw();
		uint32_t most = at[QUEUE_MAX];
		at[QUEUE_NUM] = draw() % 4 ? most : (uint32_t)draw();
		set_address(at, QUEUE_DESC, draw() % 8 ? frames[0] : an_address());
		set_address(at, QUEUE_DRIVER, draw() % 8 ? frames[1 + draw() % 4] : an_address());
		set_address(at, QUEUE_DEVICE, draw() % 8 ? frames[5 + draw() % 4] : an_address());
		at[QUEUE_READY] = 1;
	}
}

static void attack(volatile uint32_t *at)
{
	for (int round = 0; round < ROUNDS; round++) {
		fill_pages();
		at[STATUS] = 0;
		at[STATUS] = 1 | 2;
		at[DRIVER_FEATURES] = draw() % 2 ? UINT32_MAX : (uint32_t)draw();
		at[STATUS] = 1 | 2 | 8;
		set_up_queues(at);
		at[STATUS] = draw() % 4 ? 1 | 2 | 8 | 4 : (uint32_t)draw();
		for (uint32_t q = 0; q < QUEUES; q++)
			at[QUEUE_NOTIFY] = draw() % 8 ? q : (uint32_t)draw();
		/* Anywhere, in the width that the bus has and in one that it has not. */
		at[draw() % REGISTERS] = (uint32_t)draw();
		((volatile uint8_t *)at)[draw() % PAGE] = (uint8_t)draw();
		(void)at[draw() % REGISTERS];
	}
}

static size_t find_devices(struct device *out)
{
	int mem = open("/dev/mem", O_RDWR | O_SYNC);
	FILE *list = fopen("/proc/iomem", "r");
	char line[256];
	size_t n = 0;

	while (list && n < DEVICES_MAX && fgets(line, sizeof line, list)) {
		unsigned long from;
		if (*line == ' ' || !strstr(line, "virtio-mmio") || sscanf(line, "%lx-", &from) != 1)
			continue;
		void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, (off_t)from);
		if (at == MAP_FAILED || *(volatile uint32_t *)at != MAGIC)
			continue;
		out[n] = (struct device){ at, ((volatile uint32_t *)at)[DEVICE_ID] };
		printf("device %u at %lx\n", out[n++].id, from);
	}
	return n;
}

int main(int argc, char **argv)
{
	/* Console, disks, shared files and sockets are what we live on. */
	static const unsigned last[] = { 3, 2, 26, 19 };
	struct device devices[DEVICES_MAX];
	size_t n = find_devices(devices);

	state = argc > 1 ? strtoull(argv[1], NULL, 10) | 1 : 1;
	pages = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (n == 0 || pages == MAP_FAILED || mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		return 1;
	find_frames();
	printf("pages at %llx, begins\n", (unsigned long long)frames[0]);
	fflush(stdout);
	sleep(1);
	for (size_t turn = 0; turn <= sizeof last / sizeof *last; turn++)
		for (size_t i = 0; i < n; i++) {
			int lives_on = 0;
			for (size_t k = 0; k < sizeof last / sizeof *last; k++)
				lives_on |= devices[i].id == last[k];
			if (turn == 0 ? !lives_on : devices[i].id == last[turn - 1])
				attack(devices[i].at);
		}
	return 0;
}
