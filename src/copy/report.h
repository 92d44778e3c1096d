/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, as text: a line for a person, or a JSON object (RFC 8259) on a line of its own.
 *
 *   {"event":"dest-failed","time":1.204,"stream":0,"name":"out","error":"ENOSPC",
 *    "why":"No space left on device","copied":65536}
 *   {"event":"progress","time":2.000,"streams":[{"state":"running","source":"a","dest":"b",
 *    "copied":1048576,"size":null,"queued":0,"bound":0,"dropped":0}],"total":1048576}
 *
 * Names are bytes, and JSON is UTF-8: each byte of a name that is no UTF-8 is written as U+FFFD.
 * Controls, those of C1 too, are escaped, so that none reaches a terminal. Times are seconds since
 * the start; an error without a name is its number.
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/text.h"
#include "copy/copy.h"

/* Writes EVENT for a person, without the program's name and without a newline: "out: No space left
 * on device". Nothing (length 0) for what is no news to one. Names stand in it as they were given:
 * for a terminal it is not fit yet. */
void report_text(const struct copy_event *event, struct text *text);

/* Writes EVENT as JSON, without a newline. VIEW is that of its stream, or NULL. */
void report_json(const struct copy_event *event, const struct copy_view *view, int64_t time_ns,
                 struct text *text);

/* Writes how far COUNT streams are, and TOTAL bytes, as JSON. */
void report_json_progress(const struct copy_view *views, size_t count, uint64_t total,
                          int64_t time_ns, struct text *text);

#endif
