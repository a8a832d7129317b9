/*
 * scan.h - Custom Scan (RoformerBatch): ordinary SQL in batches.
 */
#ifndef ROFORMER_SCAN_H
#define ROFORMER_SCAN_H

extern void roformer_scan_init(void); /* _PG_init: planner hook, methods of the node */

#endif
