// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * order_scan.c - the first of an order by looking at all. One function for each kind of CPU, chosen
 * when the order is made. Products are rounded before they are added everywhere (no fused
 * multiply-add, see -ffp-contract in the Makefile), so that all CPUs decide alike.
 */
#include <math.h>
#include <stdint.h>

#include "control/order_internal.h"

/* The best of what each lane found; ties go to the lower number. */
static int best_lane(const double *value, const int64_t *block, unsigned lanes)
{
	double best = INFINITY;
	int64_t first = -1;

	for (unsigned i = 0; i < lanes; i++) {
		const int64_t u = block[i] * ORDER_LANES + i;

		if (value[i] < best || (value[i] == best && best < INFINITY && u < first)) {
			best = value[i];
			first = u;
		}
	}
	return (int)first;
}

static int scan_plain(const double *p, unsigned blocks, unsigned lines, double x)
{
	double best[ORDER_LANES];
	int64_t where[ORDER_LANES] = {0};

	for (unsigned i = 0; i < ORDER_LANES; i++)
		best[i] = INFINITY;
	for (unsigned k = 0; k < blocks; k++) {
		double value[ORDER_LANES];

		for (unsigned i = 0; i < ORDER_LANES; i++)
			value[i] = p[i] + p[ORDER_LANES + i] * x;
		p += (size_t)2 * ORDER_LANES;
		for (unsigned l = 1; l < lines; l++, p += (size_t)2 * ORDER_LANES) {
			for (unsigned i = 0; i < ORDER_LANES; i++) {
				const double v = p[i] + p[ORDER_LANES + i] * x;

				value[i] = v > value[i] ? v : value[i];
			}
		}
		for (unsigned i = 0; i < ORDER_LANES; i++) {
			where[i] = value[i] < best[i] ? k : where[i];
			best[i] = value[i] < best[i] ? value[i] : best[i];
		}
	}
	return best_lane(best, where, ORDER_LANES);
}

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f")))

AVX2 static inline __attribute__((always_inline)) __m256d value_avx2(const double *p,
								     unsigned lines, __m256d x)
{
	__m256d value =
		_mm256_add_pd(_mm256_load_pd(p), _mm256_mul_pd(_mm256_load_pd(p + ORDER_LANES), x));

	for (unsigned l = 1; l < lines; l++) {
		p += (size_t)2 * ORDER_LANES;
		value = _mm256_max_pd(
			value, _mm256_add_pd(_mm256_load_pd(p),
					     _mm256_mul_pd(_mm256_load_pd(p + ORDER_LANES), x)));
	}
	return value;
}

AVX2 static inline __attribute__((always_inline)) int avx2(const double *p, unsigned blocks,
							   unsigned lines, double x_now)
{
	const __m256d x = _mm256_set1_pd(x_now);
	__m256d best[2] = {_mm256_set1_pd(INFINITY), _mm256_set1_pd(INFINITY)};
	__m256i where[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
	__m256i k = _mm256_setzero_si256();
	double value[ORDER_LANES] __attribute__((aligned(64)));
	int64_t block[ORDER_LANES] __attribute__((aligned(64)));

	for (const double *end = p + (size_t)blocks * lines * 2 * ORDER_LANES; p < end;
	     p += (size_t)lines * 2 * ORDER_LANES) {
		for (unsigned h = 0; h < 2; h++) {
			const __m256d v = value_avx2(p + (size_t)4 * h, lines, x);
			const __m256d less = _mm256_cmp_pd(v, best[h], _CMP_LT_OQ);

			best[h] = _mm256_min_pd(v, best[h]);
			where[h] = _mm256_castpd_si256(_mm256_blendv_pd(
				_mm256_castsi256_pd(where[h]), _mm256_castsi256_pd(k), less));
		}
		k = _mm256_add_epi64(k, _mm256_set1_epi64x(1));
	}
	for (unsigned h = 0; h < 2; h++) {
		_mm256_store_pd(value + (size_t)4 * h, best[h]);
		_mm256_store_si256((__m256i *)(block + (size_t)4 * h), where[h]);
	}
	return best_lane(value, block, ORDER_LANES);
}

AVX512 static inline __attribute__((always_inline)) __m512d value_avx512(const double *p,
									 unsigned lines, __m512d x)
{
	__m512d value =
		_mm512_add_pd(_mm512_load_pd(p), _mm512_mul_pd(_mm512_load_pd(p + ORDER_LANES), x));

	for (unsigned l = 1; l < lines; l++) {
		p += (size_t)2 * ORDER_LANES;
		value = _mm512_max_pd(
			value, _mm512_add_pd(_mm512_load_pd(p),
					     _mm512_mul_pd(_mm512_load_pd(p + ORDER_LANES), x)));
	}
	return value;
}

/* Two blocks at a time, in two chains that do not wait for each other. */
AVX512 static inline __attribute__((always_inline)) int avx512(const double *p, unsigned blocks,
							       unsigned lines, double x_now)
{
	const size_t step = (size_t)lines * 2 * ORDER_LANES;
	const __m512d x = _mm512_set1_pd(x_now);
	__m512d even = _mm512_set1_pd(INFINITY), odd = even, v, best;
	__m512i even_at = _mm512_setzero_si512(), odd_at = even_at, k = even_at, at;
	const __m512i one = _mm512_set1_epi64(1);
	unsigned i = 0;
	__mmask8 less;
	double first;

	for (; i + 1 < blocks; i += 2, p += 2 * step) {
		v = value_avx512(p, lines, x);
		less = _mm512_cmp_pd_mask(v, even, _CMP_LT_OQ);
		even = _mm512_min_pd(v, even);
		even_at = _mm512_mask_mov_epi64(even_at, less, k);
		k = _mm512_add_epi64(k, one);
		v = value_avx512(p + step, lines, x);
		less = _mm512_cmp_pd_mask(v, odd, _CMP_LT_OQ);
		odd = _mm512_min_pd(v, odd);
		odd_at = _mm512_mask_mov_epi64(odd_at, less, k);
		k = _mm512_add_epi64(k, one);
	}
	if (i < blocks) {
		v = value_avx512(p, lines, x);
		less = _mm512_cmp_pd_mask(v, even, _CMP_LT_OQ);
		even = _mm512_min_pd(v, even);
		even_at = _mm512_mask_mov_epi64(even_at, less, k);
	}
	best = _mm512_min_pd(even, odd);
	first = _mm512_reduce_min_pd(best);
	if (first == INFINITY)
		return -1;
	/* member numbers of the lanes that have it, and of these the lowest */
	at = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
	even_at = _mm512_add_epi64(_mm512_slli_epi64(even_at, 3), at);
	odd_at = _mm512_add_epi64(_mm512_slli_epi64(odd_at, 3), at);
	v = _mm512_set1_pd(first);
	at = _mm512_set1_epi64(INT64_MAX);
	at = _mm512_mask_min_epi64(at, _mm512_cmp_pd_mask(even, v, _CMP_EQ_OQ), at, even_at);
	at = _mm512_mask_min_epi64(at, _mm512_cmp_pd_mask(odd, v, _CMP_EQ_OQ), at, odd_at);
	return (int)_mm512_reduce_min_epi64(at);
}

/* The numbers of lines that are most common get loops of their own. */
#define SCANS(name, attribute)                                                                     \
	attribute static int name##_1(const double *p, unsigned blocks, unsigned lines, double x)  \
	{                                                                                          \
		return name(p, blocks, 1, x);                                                      \
	}                                                                                          \
	attribute static int name##_2(const double *p, unsigned blocks, unsigned lines, double x)  \
	{                                                                                          \
		return name(p, blocks, 2, x);                                                      \
	}                                                                                          \
	attribute static int name##_n(const double *p, unsigned blocks, unsigned lines, double x)  \
	{                                                                                          \
		return name(p, blocks, lines, x);                                                  \
	}

SCANS(avx2, AVX2)
SCANS(avx512, AVX512)
#endif

int (*order_scan_choose(unsigned lines, unsigned lanes))(const double *, unsigned, unsigned, double)
{
#ifdef __x86_64__
	if (lanes >= 8 && __builtin_cpu_supports("avx512f"))
		return lines == 1 ? avx512_1 : lines == 2 ? avx512_2 : avx512_n;
	if (lanes >= 4 && __builtin_cpu_supports("avx2"))
		return lines == 1 ? avx2_1 : lines == 2 ? avx2_2 : avx2_n;
#endif
	return scan_plain;
}
