/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two rings: the bytes of the lines, and a record of each line. No line goes round the end of its
 * ring: one that does not fit before the end begins at the start, and leaves a gap. The ring of
 * bytes may be longer than the bound on the text by one line, which is more than any gap: so the
 * bounds, and not the gaps, say when the oldest lines must go.
 *
 * Both rings double when they are full, with realloc(3), which moves large memory without copying
 * it (mremap(2)); what stands before the old end is then moved to the new one.
 *
 * Invariant: the oldest line is at `start` in the records, the bytes in use are those from its
 * offset to `tail`, round the end when `is_wrapped`.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ui/scrollback.h"

enum { FIRST_BYTES = 64 * 1024, FIRST_RECORDS = 1024 };

struct record {
    time_t second;
    size_t offset;
    unsigned channel;
    unsigned length : 13;
    unsigned kind : 2;
    bool goes_on : 1;
    bool is_rest : 1;
};

_Static_assert(SCROLLBACK_LINE < 1 << 13, "a line is longer than its record can say");

struct scrollback {
    size_t max_lines;
    size_t max_bytes;
    uint64_t first; /* the number of the oldest line */
    struct record *records;
    size_t record_capacity;
    size_t start;
    size_t count;
    char *bytes;
    size_t byte_capacity;
    size_t tail;
    size_t used; /* bytes of text */
    bool is_wrapped;
};

struct scrollback *scrollback_new(size_t max_lines, size_t max_bytes)
{
    struct scrollback *scrollback = calloc(1, sizeof *scrollback);

    if (!scrollback)
        return NULL;
    scrollback->max_lines = max_lines > 0 ? max_lines : 1;
    scrollback->max_bytes = max_bytes > SCROLLBACK_LINE ? max_bytes : SCROLLBACK_LINE;
    if (scrollback->max_bytes > SIZE_MAX - SCROLLBACK_LINE)
        scrollback->max_bytes = SIZE_MAX - SCROLLBACK_LINE;
    return scrollback;
}

void scrollback_free(struct scrollback *scrollback)
{
    if (!scrollback)
        return;
    free(scrollback->records);
    free(scrollback->bytes);
    free(scrollback);
}

uint64_t scrollback_first(const struct scrollback *scrollback)
{
    return scrollback->first;
}

uint64_t scrollback_end(const struct scrollback *scrollback)
{
    return scrollback->first + scrollback->count;
}

/* Returns the record of the line that came INDEX lines after the oldest. */
static struct record *record_at(const struct scrollback *scrollback, size_t index)
{
    size_t before_end = scrollback->record_capacity - scrollback->start;

    return scrollback->records +
           (index < before_end ? scrollback->start + index : index - before_end);
}

static void drop_oldest(struct scrollback *scrollback)
{
    const struct record *record = record_at(scrollback, 0);

    scrollback->used -= record->length;
    scrollback->first++;
    scrollback->count--;
    if (++scrollback->start == scrollback->record_capacity)
        scrollback->start = 0;
    if (scrollback->count == 0)
        scrollback->tail = 0;
    if (scrollback->count == 0 || record_at(scrollback, 0)->offset < record->offset)
        scrollback->is_wrapped = false;
}

/* Doubles CAPACITY, up to MAX. */
static size_t next_capacity(size_t capacity, size_t first, size_t max)
{
    if (capacity == 0)
        return first < max ? first : max;
    return capacity < max / 2 ? 2 * capacity : max;
}

static int grow_records(struct scrollback *scrollback)
{
    size_t old = scrollback->record_capacity;
    size_t new = next_capacity(old, FIRST_RECORDS, scrollback->max_lines);
    size_t upper = old - scrollback->start;
    struct record *records = reallocarray(scrollback->records, new, sizeof *records);

    if (!records)
        return -1;
    if (scrollback->start > 0) {
        memmove(records + new - upper, records + scrollback->start, upper * sizeof *records);
        scrollback->start = new - upper;
    }
    scrollback->records = records;
    scrollback->record_capacity = new;
    return 0;
}

/* Those that are not round the end: the first that is begins at 0, where no other of them does. */
static void move_upper_offsets(struct scrollback *scrollback, size_t by)
{
    for (size_t i = 0; i < scrollback->count && record_at(scrollback, i)->offset > 0; i++)
        record_at(scrollback, i)->offset += by;
}

static int grow_bytes(struct scrollback *scrollback)
{
    size_t old = scrollback->byte_capacity;
    size_t new = next_capacity(old, FIRST_BYTES, scrollback->max_bytes + SCROLLBACK_LINE);
    char *bytes;
    size_t head;

    if (new == old) {
        errno = ENOMEM;
        return -1;
    }
    bytes = realloc(scrollback->bytes, new);
    if (!bytes)
        return -1;
    if (scrollback->is_wrapped) {
        head = record_at(scrollback, 0)->offset;
        memmove(bytes + new - (old - head), bytes + head, old - head);
        move_upper_offsets(scrollback, new - old);
    }
    scrollback->bytes = bytes;
    scrollback->byte_capacity = new;
    return 0;
}

/* Looks for N bytes in one piece, and says where they are. */
static bool find_room(struct scrollback *scrollback, size_t n, size_t *offset)
{
    size_t head = scrollback->count > 0 ? record_at(scrollback, 0)->offset : 0;
    size_t end = scrollback->is_wrapped ? head : scrollback->byte_capacity;

    *offset = scrollback->tail;
    if (scrollback->bytes && end - scrollback->tail >= n)
        return true;
    if (scrollback->is_wrapped || head < n || n == 0)
        return false;
    scrollback->is_wrapped = true;
    *offset = 0;
    return true;
}

/* Makes room for one more line of N bytes: more memory, and where there is none, fewer lines. */
static int reserve(struct scrollback *scrollback, size_t n, size_t *offset)
{
    while (scrollback->count > 0 && (scrollback->count == scrollback->max_lines ||
                                     n > scrollback->max_bytes - scrollback->used))
        drop_oldest(scrollback);
    while (scrollback->count == scrollback->record_capacity && grow_records(scrollback) < 0) {
        if (scrollback->count == 0)
            return -1;
        drop_oldest(scrollback);
    }
    while (!find_room(scrollback, n, offset))
        if (grow_bytes(scrollback) < 0) {
            if (scrollback->count == 0)
                return -1;
            drop_oldest(scrollback);
        }
    return 0;
}

/* Whether LINE is to continue the one that came last. */
static bool continues(const struct scrollback *scrollback, const struct scrollback_line *line)
{
    const struct record *last;

    if (scrollback->count == 0)
        return false;
    last = record_at(scrollback, scrollback->count - 1);
    return last->goes_on && last->channel == line->channel && last->kind == line->kind;
}

size_t scrollback_piece(const char *bytes, size_t n)
{
    size_t end = SCROLLBACK_LINE;

    if (n <= end)
        return n;
    while (end > SCROLLBACK_LINE - 3 && ((unsigned char)bytes[end] & 0xc0) == 0x80)
        end--;
    return end;
}

int scrollback_add(struct scrollback *scrollback, const struct scrollback_line *line)
{
    size_t n = line->length < SCROLLBACK_LINE ? line->length : SCROLLBACK_LINE;
    bool is_rest = continues(scrollback, line);
    size_t offset;

    if (reserve(scrollback, n, &offset) < 0)
        return -1;
    if (n > 0)
        memcpy(scrollback->bytes + offset, line->bytes, n);
    scrollback->tail = offset + n;
    scrollback->used += n;
    *record_at(scrollback, scrollback->count++) = (struct record){
        .second = line->second,
        .offset = offset,
        .channel = line->channel,
        .length = (unsigned)n & 0x1fff,
        .kind = (unsigned)line->kind & 3,
        .goes_on = line->goes_on,
        .is_rest = is_rest,
    };
    return 0;
}

void scrollback_get(const struct scrollback *scrollback, uint64_t number,
                    struct scrollback_line *line)
{
    const struct record *record = record_at(scrollback, (size_t)(number - scrollback->first));

    assert(number - scrollback->first < scrollback->count);
    *line = (struct scrollback_line){
        .kind = (enum scrollback_kind)record->kind,
        .channel = record->channel,
        .goes_on = record->goes_on,
        .is_rest = record->is_rest,
        .second = record->second,
        .bytes = scrollback->bytes + record->offset,
        .length = record->length,
    };
}

void scrollback_clear(struct scrollback *scrollback)
{
    uint64_t end = scrollback_end(scrollback);
    size_t max_lines = scrollback->max_lines;
    size_t max_bytes = scrollback->max_bytes;

    free(scrollback->records);
    free(scrollback->bytes);
    *scrollback = (struct scrollback){.max_lines = max_lines, .max_bytes = max_bytes, .first = end};
}

size_t scrollback_memory(const struct scrollback *scrollback)
{
    return sizeof *scrollback + scrollback->byte_capacity +
           scrollback->record_capacity * sizeof *scrollback->records;
}

/* ---- finding ---- */

/* What is looked for, with its first and its last byte in every byte of a word. */
struct needle {
    const char *text;
    size_t n;
    uint64_t first;
    uint64_t last;
};

static const uint64_t ones = UINT64_C(0x0101010101010101);

/* Letters of ASCII differ from the other case in one bit, as do a few other characters. */
enum { CASE_BIT = 'a' ^ 'A', STRIDE = sizeof(uint64_t) };

static void needle_init(struct needle *needle, const char *text, size_t n)
{
    assert(n > 0);
    needle->text = text;
    needle->n = n;
    needle->first = ones * ((unsigned char)text[0] | CASE_BIT);
    needle->last = ones * ((unsigned char)text[n - 1] | CASE_BIT);
}

static char fold(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | CASE_BIT : c);
}

static bool is_same(const char *a, const char *b, size_t n)
{
    size_t i = 0;

    while (i < n && fold(a[i]) == fold(b[i]))
        i++;
    return i == n;
}

/* Returns the first of COUNT bytes where it begins, or COUNT. */
static size_t needle_try(const struct needle *needle, const char *bytes, size_t count)
{
    size_t i = 0;

    while (i < count && !is_same(bytes + i, needle->text, needle->n))
        i++;
    return i;
}

/* Whether it could begin at one of the STRIDE bytes: where both its ends agree but for their case
 * there is a byte of zero. */
static bool needle_may_begin(const struct needle *needle, const char *bytes)
{
    uint64_t first;
    uint64_t last;
    uint64_t differing;

    memcpy(&first, bytes, sizeof first);
    memcpy(&last, bytes + needle->n - 1, sizeof last);
    differing =
        ((first | ones * CASE_BIT) ^ needle->first) | ((last | ones * CASE_BIT) ^ needle->last);
    return (differing - ones) & ~differing & ones << 7;
}

/* The last stride may overlap the one before. */
static size_t needle_find(const struct needle *needle, const char *bytes, size_t length)
{
    size_t places = length >= needle->n ? length - needle->n + 1 : 0;
    size_t i = 0;
    size_t found;

    if (places < STRIDE) {
        found = needle_try(needle, bytes, places);
        return found < places ? found : length;
    }
    while (i < places) {
        if (i > places - STRIDE)
            i = places - STRIDE;
        found =
            needle_may_begin(needle, bytes + i) ? needle_try(needle, bytes + i, STRIDE) : STRIDE;
        if (found < STRIDE)
            return i + found;
        i += STRIDE;
    }
    return length;
}

size_t scrollback_find_in(const char *bytes, size_t length, const char *text, size_t n)
{
    struct needle needle;

    needle_init(&needle, text, n);
    return needle_find(&needle, bytes, length);
}

/* Brings the number of a line that is gone, or has not come, to where the search begins. */
static uint64_t clamp(const struct scrollback *scrollback, bool is_backward, uint64_t number)
{
    uint64_t end = scrollback_end(scrollback);

    if (number + 1 == scrollback->first)
        return is_backward ? number : scrollback->first;
    if (number < scrollback->first)
        return scrollback->first - is_backward;
    return number < end ? number : end - is_backward;
}

bool scrollback_find(const struct scrollback *scrollback, const char *text, size_t n,
                     bool is_backward, size_t limit, uint64_t *number)
{
    struct needle needle;
    uint64_t at = clamp(scrollback, is_backward, *number);

    needle_init(&needle, text, n);
    for (; limit > 0 && at - scrollback->first < scrollback->count; limit--) {
        const struct record *record = record_at(scrollback, (size_t)(at - scrollback->first));
        const char *bytes = scrollback->bytes + record->offset;

        if (needle_find(&needle, bytes, record->length) < record->length) {
            *number = at;
            return true;
        }
        at = is_backward ? at - 1 : at + 1;
    }
    *number = at;
    return false;
}
