/* For test_debug_info.c, which knows these lines by their number. */
int global_number;

static inline __attribute__((always_inline)) int innermost(int x)
{
	__asm__ volatile(".globl at_innermost\nat_innermost: nop"); /* line 6 */
	return x + global_number;
}

static inline __attribute__((always_inline)) int between(int x)
{
	return innermost(x) * 3; /* line 12 */
}

__attribute__((noipa)) int outer(int x);
int outer(int x)
{
	if (x > 5) {
		int y = between(x); /* line 19 */
		return y - 1;
	}
	return x;
}

__attribute__((noipa)) int plain(int x);
int plain(int x)
{
	__asm__ volatile(".globl at_plain\nat_plain: nop"); /* line 28 */
	return x;
}

int main(void);
int main(void)
{
	return outer(1) + plain(2);
}

/* Variables, for the same test. */
struct box {
	int x;
};
typedef unsigned long word;
struct box *const boxes[3][2] = {{0}};
volatile word counter = 1;
int (*callback)(int x) = plain;
void *anything = boxes;
enum colour { RED, GREEN } colour = GREEN;
