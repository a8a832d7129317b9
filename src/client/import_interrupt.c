/*
 * import_interrupt.c - SIGINT, SIGTERM and SIGHUP while a transaction is open.
 *
 * They are blocked but for the wait itself, so that none can come unseen between looking for one
 * and beginning to wait. The wait is never long where the program computes or reads instead.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "import_interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};

#define CAUGHT_COUNT (sizeof(caught) / sizeof(caught[0]))

static volatile sig_atomic_t pending = 0; /* the signal */
static sigset_t while_waiting;

static void
note(int number)
{
	pending = number;
}

void
import_interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = note, .sa_flags = (int) SA_RESETHAND};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < CAUGHT_COUNT; i++)
	{
		struct sigaction before;

		/* what the caller told us to ignore, as nohup does, stays ignored */
		if (sigaction(caught[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &action, NULL);
		sigaddset(&blocked, caught[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
}

bool
import_interrupt_pending(void)
{
	return pending != 0;
}

void
import_interrupt_poll(int descriptor, bool also_write)
{
	struct pollfd wait = {.fd = descriptor, .events = POLLIN};

	if (also_write)
		wait.events |= POLLOUT;
	(void) ppoll(&wait, 1, NULL, &while_waiting);
}

void
import_interrupt_release(void)
{
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
}

void
import_interrupt_exit(void)
{
	int number = pending;

	signal(number, SIG_DFL);
	raise(number);
	import_interrupt_release();
}
