/*
 * import_interrupt.h - SIGINT, SIGTERM and SIGHUP while a transaction is open.
 */
#ifndef IMPORT_INTERRUPT_H
#define IMPORT_INTERRUPT_H

#include <stdbool.h>

/*
 * From now on these signals are noted instead of ending the program, and only while it waits in
 * import_interrupt_poll. A second one ends it.
 */
extern void import_interrupt_catch(void);
extern bool import_interrupt_pending(void);
/* Waits until the descriptor can be read (or written, too) or a signal comes. */
extern void import_interrupt_poll(int descriptor, bool also_write);
/* From now on a further signal comes at once, whatever the program does. */
extern void import_interrupt_release(void);
/* Ends the program by the signal that was noted, as if it had not been caught. */
extern void import_interrupt_exit(void);

#endif
