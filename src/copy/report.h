/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, as text: a line for a person, or a JSON object (RFC 8259) on a line of its own.
 *
 *   {"event":"dest-failed","time":1.204,"stream":0,"name":"out","error":"ENOSPC","why":"No space
 * left on device"}
 *   {"event":"progress","time":2.000,"streams":[{"source":"a","dest":"b","state":"running","copied":1048576,"size":null,...}],"total":1048576}
 *
 * Names are bytes, and JSON is UTF-8: what is no UTF-8 in a name is written as U+FFFD. Times are
 * seconds since the start.
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/text.h"
#include "copy/copy.h"

/* Writes EVENT for a person, without the program's name and without a newline: "out: No space left
 * on device; b stands as it was". Nothing (length 0) for what is no news to one. */
void report_text(const struct copy_event *event, struct text *text);

/* Writes EVENT as JSON, without a newline. */
void report_json(const struct copy *copy, const struct copy_event *event, int64_t time_ns,
                 struct text *text);

/* Writes how far all streams are as JSON. */
void report_json_progress(const struct copy *copy, int64_t time_ns, struct text *text);

#endif
