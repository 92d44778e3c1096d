/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "base/sanitize.h"
#include "ui/wrap.h"

void wrap_init(struct wrap *wrap, const char *text)
{
    wrap->rest = text;
    row_init(&wrap->word, ROW_COLUMNS_MAX);
    wrap->done = 0;
}

/* Makes the next word ready; false at the end of a paragraph. */
static bool wrap_next_word(struct wrap *wrap)
{
    size_t n;

    if (wrap->done < wrap->word.length)
        return true;
    wrap->rest += strspn(wrap->rest, " ");
    n = strcspn(wrap->rest, " \n");
    row_init(&wrap->word, ROW_COLUMNS_MAX);
    row_add(&wrap->word, ROW_PLAIN, wrap->rest, n);
    wrap->done = 0;
    wrap->rest += n;
    return wrap->word.length > 0;
}

/* Puts what fits of the word into ROW; false where the row is full. What is too long for any row is
 * broken. */
static bool wrap_put_word(struct wrap *wrap, struct row *row)
{
    const char *shown = wrap->word.bytes + wrap->done;
    size_t length = wrap->word.length - wrap->done;
    size_t gap = row->used > 0;
    size_t fit;

    if (gap && row->used + gap + sanitize_width(shown, length) > row->columns)
        return false;
    row_pad(row, ROW_PLAIN, row->used + gap);
    fit = row_fill(row, ROW_PLAIN, shown, length);
    wrap->done += fit > 0 ? fit : length;
    return fit == length;
}

bool wrap_row(struct wrap *wrap, struct row *row)
{
    bool has_word = wrap->done < wrap->word.length;

    if (!has_word && *wrap->rest == '\n')
        wrap->rest++;
    if (!has_word && *wrap->rest == '\0')
        return false;
    while (wrap_next_word(wrap) && wrap_put_word(wrap, row))
        continue;
    return true;
}

size_t wrap_count(const char *text, size_t columns)
{
    struct wrap wrap;
    struct row row;
    size_t count = 0;

    wrap_init(&wrap, text);
    for (;;) {
        row_init(&row, columns);
        if (!wrap_row(&wrap, &row))
            return count;
        count++;
    }
}
