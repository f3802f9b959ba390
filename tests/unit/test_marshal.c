/* SPDX-License-Identifier: MIT */
/* export/marshal.c and, on top of it, the file that pstats loads. */
#include <config.h>

#include "suites.h"

#include "export/marshal.h"
#include "export/pstats.h"

#include <stdlib.h>
#include <string.h>

static struct pl_error err;

/* A byte string with its NUL bytes: literal and length. */
#define BYTES(literal) (literal), sizeof(literal) - 1

static int parse(struct pl_marshal *m, const char *data, size_t n)
{
	/* A copy of its own size, so that the sanitizer sees every step too
	 * far. */
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, data, n);
	memset(&err, 0, sizeof(err));
	rc = pl_marshal_parse(m, copy, n, &err);
	free(copy);
	return rc;
}

/* ------------------------------------------------------------- reading -- */

static const struct {
	const char *data;
	size_t n;
	enum pl_mtype type;
	int64_t i;
	double f;
} scalars[] = {
	{ BYTES("N"), PL_M_NONE, 0, 0 },
	{ BYTES("T"), PL_M_INT, 1, 0 },
	{ BYTES("F"), PL_M_INT, 0, 0 },
	{ BYTES("i\x00\x00\x00\x80"), PL_M_INT, INT32_MIN, 0 },
	{ BYTES("\xe9\x05\0\0\0"), PL_M_INT, 5, 0 },
	{ BYTES("l\0\0\0\0"), PL_M_INT, 0, 0 },
	{ BYTES("l\x01\0\0\0\x2a\0"), PL_M_INT, 42, 0 },
	{ BYTES("l\xfd\xff\xff\xff\0\0\0\0\x02\0"), PL_M_INT, -(1LL << 31), 0 },
	{ BYTES("l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x07\0"), PL_M_INT,
	  INT64_MAX, 0 },
	{ BYTES("l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x08\0"), PL_M_BIG,
	  0, 0 },
	{ BYTES("g\0\0\0\0\0\0\xe0\x3f"), PL_M_FLOAT, 0, .5 },
	{ BYTES("f\x06" "-2.5e3"), PL_M_FLOAT, 0, -2500 },
};

START_TEST(scalars_have_their_values)
{
	struct pl_marshal m;
	const struct pl_mvalue *v;

	ck_assert_int_eq(parse(&m, scalars[_i].data, scalars[_i].n), 0);
	v = pl_marshal_root(&m);
	ck_assert_int_eq(v->type, scalars[_i].type);
	if (v->type == PL_M_INT)
		ck_assert_int_eq(v->u.i, scalars[_i].i);
	if (v->type == PL_M_FLOAT)
		ck_assert_double_eq(v->u.f, scalars[_i].f);
	pl_marshal_release(&m);
}
END_TEST

static const struct {
	const char *data;
	size_t n;
	uint32_t len;
} texts[] = {
	{ BYTES("u\x03\0\0\0abc"), 3 },
	{ BYTES("t\x03\0\0\0abc"), 3 },
	{ BYTES("a\x03\0\0\0abc"), 3 },
	{ BYTES("A\x03\0\0\0abc"), 3 },
	{ BYTES("z\x03" "abc"), 3 },
	{ BYTES("Z\x03" "abc"), 3 },
	{ BYTES("\xda\x03" "abc"), 3 },
	{ BYTES("u\0\0\0\0"), 0 },
	{ BYTES("u\x03\0\0\0\xed\xb3\xbf"), 3 },	/* a lone surrogate */
	{ BYTES("u\x04\0\0\0\xf0\x9f\x98\x80"), 4 },
	{ BYTES("u\x03\0\0\0a\0b"), 3 },
	{ BYTES("s\x02\0\0\0\xff\0"), 2 },		/* bytes */
};

START_TEST(texts_have_their_length)
{
	struct pl_marshal m;

	ck_assert_int_eq(parse(&m, texts[_i].data, texts[_i].n), 0);
	ck_assert_uint_eq(pl_marshal_root(&m)->u.text.len, texts[_i].len);
	ck_assert_uint_eq(pl_marshal_root(&m)->u.text.offset + texts[_i].len,
			  texts[_i].n);
	pl_marshal_release(&m);
}
END_TEST

START_TEST(containers_hold_their_items_in_order)
{
	/* {(1, 2): [], 3: ()} */
	static const char data[] = "{"
				   "(\x02\0\0\0i\x01\0\0\0i\x02\0\0\0"
				   "[\0\0\0\0"
				   "i\x03\0\0\0"
				   ")\0"
				   "0";
	const struct pl_mvalue *v;
	struct pl_marshal m;

	ck_assert_int_eq(parse(&m, data, sizeof(data) - 1), 0);
	ck_assert_int_eq(pl_marshal_root(&m)->type, PL_M_DICT);
	ck_assert_uint_eq(pl_marshal_root(&m)->u.items.n, 4);
	v = pl_marshal_first(&m, pl_marshal_root(&m));
	ck_assert_uint_eq(v->u.items.n, 2);
	ck_assert_int_eq(pl_marshal_first(&m, v)->u.i, 1);
	ck_assert_int_eq(pl_marshal_next(&m, pl_marshal_first(&m, v))->u.i, 2);
	v = pl_marshal_next(&m, v);
	ck_assert_ptr_null(pl_marshal_first(&m, v));
	v = pl_marshal_next(&m, v);
	ck_assert_int_eq(v->u.i, 3);
	v = pl_marshal_next(&m, v);
	ck_assert_int_eq(v->type, PL_M_TUPLE);
	ck_assert_ptr_null(pl_marshal_next(&m, v));
	pl_marshal_release(&m);
}
END_TEST

START_TEST(references_stand_for_values_numbered_in_order)
{
	/* (a := (b := "x", 7), b, a): a is number 0, though b ends first */
	static const char data[] = ")\x03"
				   "\xa9\x02\xfa\x01xi\x07\0\0\0"
				   "r\x01\0\0\0"
				   "r\0\0\0\0";
	const struct pl_mvalue *a, *b, *again;
	struct pl_marshal m;

	ck_assert_int_eq(parse(&m, data, sizeof(data) - 1), 0);
	a = pl_marshal_first(&m, pl_marshal_root(&m));
	b = pl_marshal_next(&m, a);
	again = pl_marshal_next(&m, b);
	ck_assert_int_eq(b->type, PL_M_STR);
	ck_assert_int_eq(again->type, PL_M_TUPLE);
	ck_assert_uint_eq(again->u.items.first, a->u.items.first);
	ck_assert_ptr_null(pl_marshal_next(&m, again));
	pl_marshal_release(&m);
}
END_TEST

static const struct {
	const char *data;
	size_t n;
} bad[] = {
	{ "", 0 },
	{ BYTES("0") },				/* an end of nothing */
	{ BYTES("i\x01") },
	{ BYTES("g\0\0\0") },
	{ BYTES("l\x02\0\0\0\x01\0") },		/* digits missing */
	{ BYTES("l\x01\0\0\0\xff\xff") },	/* more than 15 bits */
	{ BYTES("l\0\0\0\x80") },		/* INT32_MIN digits */
	{ BYTES("u\xff\xff\xff\x7f" "a") },	/* longer than the file */
	{ BYTES("u\xff\xff\xff\xff" "a") },	/* negative */
	{ BYTES("z\x05" "abc") },
	{ BYTES("u\x01\0\0\0\xff") },		/* no UTF-8 */
	{ BYTES("u\x02\0\0\0\xc0\x80") },	/* overlong */
	{ BYTES("u\x03\0\0\0\xe2\x82" "a") },
	{ BYTES("u\x02\0\0\0\xe2\x82") },	/* cut off within */
	{ BYTES("u\x04\0\0\0\xf5\x80\x80\x80") }, /* beyond Unicode */
	{ BYTES("(\xff\xff\xff\x7fN") },
	{ BYTES("(\x02\0\0\0N") },
	{ BYTES("(\x01\0\0\0" "0") },
	{ BYTES("{N0") },			/* a key without a value */
	{ BYTES("{NN") },			/* without an end */
	{ BYTES("r\0\0\0\0") },			/* of nothing */
	{ BYTES("\xa8\x01\0\0\0r\0\0\0\0") },	/* of itself */
	{ BYTES("f\x03" "abc") },
	{ BYTES("f\x02" "1x") },
	{ BYTES("c\0\0\0\0") },			/* code without fields */
	{ BYTES("y\0\0\0\0") },			/* half a complex number */
	{ BYTES("x\x01" "1") },
	{ BYTES(":NN") },			/* a slice of two */
	{ BYTES("?") },
	{ BYTES("PK\x03\x04") },
};

START_TEST(nonsense_is_refused_with_a_sentence)
{
	struct pl_marshal m;

	ck_assert_int_eq(parse(&m, bad[_i].data, bad[_i].n), PL_ERR_FORMAT);
	ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(depth_is_bounded)
{
	struct pl_marshal m;
	size_t n = 1000000;
	char *bomb = malloc(2 * n);

	for (size_t i = 0; i < n; i++)
		memcpy(bomb + 2 * i, ")\x01", 2);
	ck_assert_int_eq(parse(&m, bomb, 2 * n), PL_ERR_FORMAT);
	memset(bomb, '{', n);
	ck_assert_int_eq(parse(&m, bomb, n), PL_ERR_FORMAT);
	free(bomb);
}
END_TEST

START_TEST(memory_is_bounded_by_the_size)
{
	struct pl_marshal m;
	size_t n = 1000000;
	char *bomb = malloc(n + 5);

	memset(bomb, 'N', n + 5);
	memcpy(bomb, "(\x40\x42\x0f\0", 5);	/* a million */
	ck_assert_int_eq(parse(&m, bomb, n + 5), PL_ERR_FORMAT);
	memcpy(bomb, "(\0\x10\0\0", 5);
	ck_assert_int_eq(parse(&m, bomb, 4096 + 5), 0);
	pl_marshal_release(&m);
	free(bomb);
}
END_TEST

/* ------------------------------------------------------------- writing -- */

static const int64_t ints[] = {
	0, 1, -1, INT32_MAX, INT32_MIN, INT32_MAX + 1LL, INT32_MIN - 1LL,
	1LL << 45, -(1LL << 60), INT64_MAX, INT64_MIN + 1,
};

START_TEST(what_is_written_reads_back)
{
	struct pl_marshal m;
	const struct pl_mvalue *v;
	char *data;
	size_t n;
	FILE *f = open_memstream(&data, &n);

	pl_marshal_put_dict(f);
	pl_marshal_put_tuple(f, 2, 1);
	pl_marshal_put_int(f, ints[_i]);
	pl_marshal_put_float(f, 0.1);
	pl_marshal_put_str(f, "n\xc3\xa9");
	pl_marshal_put_str(f, "");
	pl_marshal_put_ref(f, 0);
	pl_marshal_put_end(f);
	fclose(f);
	ck_assert_int_eq(parse(&m, data, n), 0);
	v = pl_marshal_first(&m, pl_marshal_root(&m));
	ck_assert_int_eq(pl_marshal_first(&m, v)->u.i, ints[_i]);
	v = pl_marshal_next(&m, pl_marshal_first(&m, v));
	ck_assert_double_eq(v->u.f, 0.1);
	pl_marshal_release(&m);
	free(data);
}
END_TEST

START_TEST(small_and_large_ints_are_written_as_python_does)
{
	static const char want[] = "i\xff\xff\xff\xff"
				   "l\x03\0\0\0\0\0\0\0\x02\0"
				   "l\xfd\xff\xff\xff\x01\0\0\0\x02\0";
	char *data;
	size_t n;
	FILE *f = open_memstream(&data, &n);

	pl_marshal_put_int(f, -1);
	pl_marshal_put_int(f, 1LL << 31);
	pl_marshal_put_int(f, -(1LL << 31) - 1);
	fclose(f);
	ck_assert_uint_eq(n, sizeof(want) - 1);
	ck_assert_mem_eq(data, want, n);
	free(data);
}
END_TEST

/* -------------------------------------------------------- pstats' files -- */

/* ('a.py', 3, 'f') and its row: cc=1 nc=2 tt=.5 ct=.25 */
#define KEY_F ")\x03z\x04" "a.pyi\x03\0\0\0z\x01" "f"
#define KEY_G ")\x03z\x04" "a.pyi\x09\0\0\0z\x01" "g"
#define HALF "g\0\0\0\0\0\0\xe0\x3f"
#define QUARTER "g\0\0\0\0\0\0\xd0\x3f"
#define ROW(callers) \
	")\x05i\x01\0\0\0i\x02\0\0\0" HALF QUARTER "{" callers "0"
#define CALLER ")\x04i\x07\0\0\0i\x05\0\0\0" HALF QUARTER

static struct pl_pstats_reader *reader;
static enum pl_pstats_kind kind;

static void setup(void)
{
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(pl_pstats_reader_new(&reader, &err), 0);
}

static void teardown(void)
{
	pl_pstats_reader_free(reader);
}

static int add(const char *data, size_t n)
{
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, data, n);
	rc = pl_pstats_reader_add(reader, copy, n, &kind, &err);
	free(copy);
	return rc;
}

START_TEST(a_file_is_read)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{" KEY_F ROW(KEY_G CALLER) KEY_G ROW("")
				   "0")), 0);
	ck_assert_int_eq(kind, PL_PSTATS_TRACED);
	ck_assert_uint_eq(p->n_funcs, 2);
	ck_assert_str_eq(p->funcs[0].file, "a.py");
	ck_assert_str_eq(p->funcs[0].name, "f");
	ck_assert_int_eq(p->funcs[0].line, 3);
	ck_assert_uint_eq(p->funcs[0].f.primitive, 1);
	ck_assert_uint_eq(p->funcs[0].f.calls, 2);
	ck_assert_int_eq(p->funcs[0].f.self_ns, 500000000);
	ck_assert_int_eq(p->funcs[0].f.cum_ns, 250000000);
	ck_assert_uint_eq(p->n_edges, 1);
	ck_assert_uint_eq(p->edges[0].caller, 1);
	ck_assert_uint_eq(p->edges[0].callee, 0);
	/* the trap: all calls come first here */
	ck_assert_uint_eq(p->edges[0].f.calls, 7);
	ck_assert_uint_eq(p->edges[0].f.primitive, 5);
}
END_TEST

START_TEST(files_are_added_up)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{" KEY_F ROW(KEY_G CALLER) "0")), 0);
	ck_assert_int_eq(add(BYTES("{" KEY_G ROW("") KEY_F ROW(KEY_G CALLER)
				   "0")), 0);
	ck_assert_uint_eq(p->n_funcs, 2);
	ck_assert_str_eq(p->funcs[0].name, "f");
	ck_assert_uint_eq(p->funcs[0].f.calls, 4);
	ck_assert_int_eq(p->funcs[0].f.self_ns, 1000000000);
	ck_assert_uint_eq(p->n_edges, 1);
	ck_assert_uint_eq(p->edges[0].f.calls, 14);
}
END_TEST

START_TEST(a_caller_without_a_row_is_but_a_caller)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{" KEY_F ROW(KEY_G CALLER) "0")), 0);
	ck_assert_uint_eq(p->n_funcs, 2);
	ck_assert_str_eq(p->funcs[1].name, "g");
	ck_assert(p->funcs[1].only_calls);
	ck_assert(!p->funcs[0].only_calls);
	ck_assert_int_eq(add(BYTES("{" KEY_G ROW("") "0")), 0);
	ck_assert(!p->funcs[1].only_calls);
}
END_TEST

START_TEST(callers_may_be_plain_counts)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{" KEY_F ROW(KEY_F "i\x04\0\0\0") "0")), 0);
	ck_assert_int_eq(kind, PL_PSTATS_COUNTED);
	ck_assert_uint_eq(p->edges[0].f.calls, 4);
	ck_assert_uint_eq(p->edges[0].f.primitive, 4);
	ck_assert_int_eq(p->edges[0].f.self_ns, 0);
}
END_TEST

/* Code as 3.8 to 3.10 and as 3.11 and later write it; of file, line and name
 * "d.py", 5, "run".  Among the constants is all that a profile has not. */
#define FIVE "\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0"
#define CONSTANTS ")\x0a" "N.S" "yzzzzzzzzzzzzzzzz" "x\x01" "1\x01" "2" \
	"<\x01\0\0\0N" ">\0\0\0\0" ":NNN" "}NN0" "u\x02\0\0\0a\0"
#define OLD_CODE "\xe3" FIVE "\0\0\0\0s\0\0\0" "s\x01\0\0\0d" \
	CONSTANTS ")\0)\0)\0)\0z\x04" "d.pyz\x03" "run\x05\0\0\0s\0\0\0\0"
#define NEW_CODE "\xe3" FIVE "\0\0\0\0\xf3\x01\0\0\0d" \
	CONSTANTS ")\0)\0s\0\0\0\0z\x04" "d.pyz\x03" "runz\x03" \
	"run\x05\0\0\0s\0\0\0\0s\0\0\0\0"

static const struct {
	const char *data;
	size_t n;
} code[] = {
	{ BYTES("{)\x03z\x07profilei\0\0\0\0" OLD_CODE ROW("") "0") },
	{ BYTES("{)\x03z\x07profilei\0\0\0\0" NEW_CODE ROW("") "0") },
};

START_TEST(a_code_object_is_named_as_its_repr)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(code[_i].data, code[_i].n), 0);
	ck_assert_uint_eq(p->n_funcs, 1);
	ck_assert_str_eq(p->funcs[0].file, "profile");
	ck_assert_str_eq(p->funcs[0].name,
			 "<code object run, file \"d.py\", line 5>");
	for (size_t n = 0; n < code[_i].n; n++)
		ck_assert_int_eq(add(code[_i].data, n), PL_ERR_FORMAT);
}
END_TEST

START_TEST(a_nul_in_a_name_is_escaped)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{)\x03z\x04" "d\0py" "i\x01\0\0\0"
				   "z\x03" "a\0b" ROW("") "0")), 0);
	ck_assert_str_eq(p->funcs[0].file, "d\\x00py");
	ck_assert_str_eq(p->funcs[0].name, "a\\x00b");
}
END_TEST

#define UNKNOWN "i\xff\xff\xff\xff"

START_TEST(numbers_of_calls_may_be_unknown)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{" KEY_F ")\x05" UNKNOWN UNKNOWN HALF
				   QUARTER "{" KEY_G ")\x04" UNKNOWN UNKNOWN
				   HALF QUARTER "00")), 0);
	ck_assert_int_eq(kind, PL_PSTATS_UNCOUNTED);
	ck_assert_uint_eq(p->funcs[0].f.calls, 0);
	ck_assert_int_eq(p->funcs[0].f.self_ns, 500000000);
	ck_assert_uint_eq(p->edges[0].f.calls, 0);
	ck_assert_int_eq(p->edges[0].f.cum_ns, 250000000);
}
END_TEST

START_TEST(the_sampling_profilers_mark_is_no_row)
{
	const struct pl_profile *p = pl_pstats_reader_profile(reader);

	ck_assert_int_eq(add(BYTES("{" KEY_F ROW(KEY_G "i\x04\0\0\0")
				   ")\x01z\x0b__sampled__T0")), 0);
	ck_assert_int_eq(kind, PL_PSTATS_SAMPLED);
	ck_assert_uint_eq(p->n_funcs, 2);
}
END_TEST

START_TEST(an_empty_file_has_no_rows)
{
	ck_assert_int_eq(add(BYTES("{0")), 0);
	ck_assert_uint_eq(pl_pstats_reader_profile(reader)->n_funcs, 0);
}
END_TEST

static const struct {
	const char *data;
	size_t n;
} no_profile[] = {
	{ BYTES("N") },
	{ BYTES("{NN0") },
	{ BYTES("{i\x01\0\0\0" ROW("") "0") },
	{ BYTES("{" KEY_F "N0") },
	{ BYTES("{)\x01z\x01" "a" ROW("") "0") },
	{ BYTES("{)\x03NNN" ROW("") "0") },
	{ BYTES("{)\x03z\x01" "al\x03\0\0\0\0\0\0\0\x02\0z\x01" "b" ROW("")
		"0") },				/* line 2^31 */
	{ BYTES("{" KEY_F ")\x05NNNNN0") },
	{ BYTES("{" KEY_F ")\x05i\xfe\xff\xff\xffi\0\0\0\0" HALF HALF "{00") },
	{ BYTES("{" KEY_F ")\x05i\0\0\0\0i\0\0\0\0"
		"g\0\0\0\0\0\0\xf8\x7f" HALF "{00") },	/* NaN seconds */
	{ BYTES("{" KEY_F ")\x05i\0\0\0\0i\0\0\0\0"
		"g\0\0\0\0\0\0\xf0\x7f" HALF "{00") },	/* infinite */
	{ BYTES("{" KEY_F ")\x05i\0\0\0\0i\0\0\0\0" HALF HALF "N0") },
	{ BYTES("{" KEY_F ROW(KEY_G "N") "0") },
	{ BYTES("{" KEY_F ROW("NN") "0") },
	{ BYTES("{" KEY_F ROW(KEY_G ")\x03NNN") "0") },
	{ BYTES("SQLite format 3\0") },	/* "S" is a value */
};

START_TEST(what_is_no_profile_is_refused_with_a_sentence)
{
	ck_assert_int_eq(add(no_profile[_i].data, no_profile[_i].n),
			 PL_ERR_FORMAT);
	ck_assert_str_ne(err.text, "");
}
END_TEST

static const char whole[] = "{" KEY_F ROW(KEY_G CALLER KEY_F "T") KEY_G
	ROW("") ")\x01z\x0b__sampled__T0";

START_TEST(a_file_cut_off_anywhere_is_refused)
{
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		ck_assert_int_eq(add(whole, n), PL_ERR_FORMAT);
	ck_assert_int_eq(add(whole, sizeof(whole) - 1), 0);
}
END_TEST

/* Whatever a byte is changed to, nothing worse than an error happens. */
START_TEST(damage_anywhere_is_survived)
{
	char data[sizeof(whole)];

	for (size_t at = 0; at < sizeof(whole) - 1; at++)
		for (int byte = 0; byte < 256; byte++) {
			memcpy(data, whole, sizeof(whole));
			data[at] = (char)byte;
			add(data, sizeof(whole) - 1);
		}
}
END_TEST

/* One dictionary of callers, referred to by every row, would make rows times
 * callers pairs of a file that has only their sum. */
START_TEST(references_do_not_multiply_without_end)
{
	enum { N = 3000 };
	char *data;
	size_t n;
	FILE *f = open_memstream(&data, &n);

	pl_marshal_put_dict(f);
	for (int i = 0; i < N; i++) {
		pl_marshal_put_tuple(f, 3, 0);
		pl_marshal_put_str(f, "x");
		pl_marshal_put_int(f, i);
		pl_marshal_put_str(f, "y");
		pl_marshal_put_tuple(f, 5, 0);
		for (int k = 0; k < 4; k++)
			pl_marshal_put_int(f, 0);
		if (i) {
			pl_marshal_put_ref(f, 0);
			continue;
		}
		putc('{' | 0x80, f);
		for (int k = 0; k < N; k++) {
			pl_marshal_put_tuple(f, 3, 0);
			pl_marshal_put_str(f, "x");
			pl_marshal_put_int(f, k);
			pl_marshal_put_str(f, "y");
			pl_marshal_put_int(f, 1);
		}
		pl_marshal_put_end(f);
	}
	pl_marshal_put_end(f);
	fclose(f);
	ck_assert_int_eq(add(data, n), PL_ERR_FORMAT);
	ck_assert_uint_le(pl_pstats_reader_profile(reader)->n_edges, n);
	free(data);
}
END_TEST

/* Functions of one label are one row of the file, and its callers as well. */
START_TEST(a_profile_is_written_and_read_again)
{
	struct pl_pfunc funcs[] = {
		{ .file = "~", .name = "<len>", .kind = PL_FUNC_C,
		  .f = { .calls = 3, .primitive = 3, .self_ns = 30,
			 .cum_ns = 30 } },
		{ .file = "a.py", .name = "f", .line = 1,
		  .f = { .calls = 5000000000, .resumes = 2, .primitive = 9,
			 .self_ns = 123456789012, .cum_ns = 223456789012 } },
		{ .file = "~", .name = "<len>", .kind = PL_FUNC_OTHER,
		  .f = { .calls = 1, .primitive = 1, .self_ns = 5,
			 .cum_ns = 5 } },
	};
	struct pl_pedge edges[] = {
		{ .caller = 1, .callee = 2, .f = { .calls = 1, .primitive = 1,
						  .self_ns = 5, .cum_ns = 5 } },
		{ .caller = 1, .callee = 0, .f = { .calls = 3, .primitive = 3,
						  .self_ns = 30 } },
	};
	struct pl_profile out = { .funcs = funcs, .n_funcs = 3,
				  .edges = edges, .n_edges = 2 };
	const struct pl_profile *in = pl_pstats_reader_profile(reader);
	char *data;
	size_t n;
	FILE *f = open_memstream(&data, &n);

	ck_assert_int_eq(pl_pstats_write(&out, f, &err), 0);
	fclose(f);
	ck_assert_int_eq(add(data, n), 0);
	free(data);
	ck_assert_uint_eq(in->n_funcs, 2);
	ck_assert_int_eq(in->funcs[0].kind, PL_FUNC_C);
	ck_assert_uint_eq(in->funcs[0].f.calls, 4);
	ck_assert_int_eq(in->funcs[0].f.self_ns, 35);
	ck_assert_uint_eq(in->funcs[1].f.calls, 5000000002);
	ck_assert_uint_eq(in->funcs[1].f.primitive, 9);
	ck_assert_int_eq(in->funcs[1].f.self_ns, 123456789012);
	ck_assert_uint_eq(in->n_edges, 1);
	ck_assert_uint_eq(in->edges[0].f.calls, 4);
	ck_assert_int_eq(in->edges[0].f.self_ns, 35);
}
END_TEST

#define N_OF(array) ((int)(sizeof(array) / sizeof(*(array))))

Suite *suite_marshal(void)
{
	Suite *s = suite_create("marshal");
	TCase *t = tcase_create("values");

	tcase_add_loop_test(t, scalars_have_their_values, 0, N_OF(scalars));
	tcase_add_loop_test(t, texts_have_their_length, 0, N_OF(texts));
	tcase_add_test(t, containers_hold_their_items_in_order);
	tcase_add_test(t, references_stand_for_values_numbered_in_order);
	tcase_add_loop_test(t, nonsense_is_refused_with_a_sentence, 0,
			    N_OF(bad));
	tcase_add_test(t, depth_is_bounded);
	tcase_add_test(t, memory_is_bounded_by_the_size);
	tcase_add_loop_test(t, what_is_written_reads_back, 0, N_OF(ints));
	tcase_add_test(t, small_and_large_ints_are_written_as_python_does);
	suite_add_tcase(s, t);

	t = tcase_create("pstats");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_is_read);
	tcase_add_test(t, files_are_added_up);
	tcase_add_test(t, a_caller_without_a_row_is_but_a_caller);
	tcase_add_test(t, callers_may_be_plain_counts);
	tcase_add_loop_test(t, a_code_object_is_named_as_its_repr, 0,
			    N_OF(code));
	tcase_add_test(t, a_nul_in_a_name_is_escaped);
	tcase_add_test(t, numbers_of_calls_may_be_unknown);
	tcase_add_test(t, the_sampling_profilers_mark_is_no_row);
	tcase_add_test(t, an_empty_file_has_no_rows);
	tcase_add_loop_test(t, what_is_no_profile_is_refused_with_a_sentence,
			    0, N_OF(no_profile));
	tcase_add_test(t, a_file_cut_off_anywhere_is_refused);
	tcase_add_test(t, damage_anywhere_is_survived);
	tcase_add_test(t, references_do_not_multiply_without_end);
	tcase_add_test(t, a_profile_is_written_and_read_again);
	suite_add_tcase(s, t);
	return s;
}
