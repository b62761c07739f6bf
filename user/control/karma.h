/* SPDX-License-Identifier: GPL-2.0-or-later */
/* karma.h - who earns the credits that borrowers pay (Vuppalapati and others, OSDI 2023). Pure. */
#ifndef SL_CONTROL_KARMA_H
#define SL_CONTROL_KARMA_H

/*
 * Deal `amount` to those who lent, the poorest first: credits are raised to a common level,
 * nobody's by more than it lent. lent[i] becomes what i earns. What exceeds the sum of all that was
 * lent is nobody's.
 */
void sl_karma_earn(const double *credits, double *lent, unsigned n, double amount);

#endif /* SL_CONTROL_KARMA_H */
