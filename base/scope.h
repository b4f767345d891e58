/* Scope guards: every exit path frees, and ownership moves are visible. */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#define INQ_SCOPED(fn) __attribute__((cleanup(fn)))

/* Define T_scope_() for INQ_SCOPED from a destroy function that accepts NULL. */
#define INQ_DEFINE_SCOPE(type, destroy)                                                            \
	static inline void destroy##_scope_(type **p)                                              \
	{                                                                                          \
		destroy(*p);                                                                       \
	}

/* Hand over ownership: yields p and leaves NULL behind. */
#define inq_take(p)                                                                                \
	({                                                                                         \
		__auto_type took_ = (p);                                                           \
		(p) = NULL;                                                                        \
		took_;                                                                             \
	})

#endif
