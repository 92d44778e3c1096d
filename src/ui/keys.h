/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes from a terminal into keys. They come in pieces that mean nothing: an arrow key may be cut
 * in two, and so may a character of UTF-8. Only whole keys are handed on, and what a terminal
 * answers or reports (mouse, focus, colours, its name) never becomes typed text.
 *
 *   a character      KEYS_TEXT with its wide character: controls such as Ctrl-A (1) and ESC too
 *   a known key      Up, PgDn, F4 ...: its number, and the sequence that xterm sends for it,
 *                    whichever came: the editor has to know one form only
 *   another sequence a whole CSI or SS3 that nobody knows: dropped, so that no garbage is typed
 *   a string         OSC, DCS, APC, PM, SOS, up to BEL or ST: dropped
 *   a paste          what stands between ESC [200~ and ESC [201~, as one text
 *   Meta-x           ESC followed by x at once: KEYS_TEXT ESC, then KEYS_TEXT x
 *   Meta-Up          ESC before a known key: that key, or a word further for Left and Right
 *
 * A lone ESC is told by time: when nothing has followed for KEYS_ESC_NS it is the key. What has
 * begun as a CSI or SS3, and half a character, are waited for without limit: bytes can be slow.
 *
 * ESC ] is typed as Meta-] too. It begins a string where what follows can begin an answer (for OSC
 * a digit or one of lLI, for DCS what is no letter, for the others any text), and is Meta-] where
 * something else follows or, for KEYS_STRING_NS, nothing. A string that has no end keeps the
 * keyboard no longer than until a control such as Enter or Ctrl-C, or until KEYS_STRING_NS have
 * passed in which nothing came; a paste, until KEYS_PASTE_NS have.
 *
 * C1 characters that come typed are dropped: U+0080 to U+009F are events of our own (editor.h).
 * Bytes that are no character become U+FFFD. Sources: ECMA-48, ctlseqs of xterm,
 * console_codes(4), rxvt(7).
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include "base/buf.h"

enum keys_key {
    KEYS_TEXT,
    KEYS_PASTE,
    KEYS_UP,
    KEYS_DOWN,
    KEYS_RIGHT,
    KEYS_LEFT,
    KEYS_HOME,
    KEYS_END,
    KEYS_INSERT,
    KEYS_DELETE,
    KEYS_PAGE_UP,
    KEYS_PAGE_DOWN,
    KEYS_WORD_LEFT, /* Ctrl-Left, Meta-Left */
    KEYS_WORD_RIGHT,
    KEYS_TO_TOP,    /* Ctrl-Home */
    KEYS_TO_BOTTOM, /* Ctrl-End */
    KEYS_BACKTAB,
    KEYS_F1, /* KEYS_F1 + n - 1: function key n, up to 12 */
    KEYS_F12 = KEYS_F1 + 11,
    KEYS_COUNT
};

enum {
    KEYS_SEQUENCE = 32,           /* longest sequence, in bytes; what is longer is dropped */
    KEYS_PASTE_MAX = 1024 * 1024, /* of a paste, bytes; the rest of it is dropped */
    KEYS_TOLD = 64                /* sequences that keys_learn takes */
};

#define KEYS_ESC_NS    (45 * INT64_C(1000000))
#define KEYS_STRING_NS INT64_C(1000000000)
#define KEYS_PASTE_NS  INT64_C(5000000000)

struct keys_event {
    enum keys_key key;
    wchar_t character; /* of KEYS_TEXT */
    const char *bytes; /* what came for a character, the sequence of a key, the text of a paste;
                        * borrowed, and NULL for a paste of nothing */
    size_t length;
    bool is_cut; /* a paste that was longer than KEYS_PASTE_MAX */
};

typedef void keys_fn(void *owner, const struct keys_event *event);

enum keys_mode {
    KEYS_IN_KEY,      /* pending is the beginning of one, or empty */
    KEYS_IN_LONG_KEY, /* a sequence that is too long: up to its end */
    KEYS_IN_STRING,   /* pending is its last byte where that is ESC */
    KEYS_IN_PASTE
};

struct keys {
    keys_fn *on_key;
    void *owner;
    enum keys_mode mode;
    char pending[KEYS_SEQUENCE];
    size_t pending_length;
    int64_t since; /* when the last byte came */
    struct buf paste;
    size_t end_matched; /* bytes of ESC [201~ that the end of the paste so far may be */
    bool is_paste_cut;
    struct {
        enum keys_key key;
        char bytes[KEYS_SEQUENCE];
        size_t length;
    } learnt[KEYS_TOLD];
    size_t learnt_count;
};

/* Makes one that knows the common sequences of xterm, tmux, screen, rxvt, linux and vt100. */
void keys_init(struct keys *keys, keys_fn *on_key, void *owner);
void keys_fini(struct keys *keys);

/* Learns that this terminal sends BYTES, a string of terminfo(5) that begins with ESC, for KEY.
 * Ignores what is too long, too much, or not one whole CSI, SS3, or ESC and a character. */
void keys_learn(struct keys *keys, enum keys_key key, const char *bytes);

/* Takes N bytes that came at NOW, and tells the keys that they complete. However they are cut, the
 * keys are the same. */
void keys_feed(struct keys *keys, const char *bytes, size_t n, int64_t now);

/* When keys_expire is to be called, or -1: nothing waits for time. */
int64_t keys_due(const struct keys *keys);

/* Tells, or drops, what has waited for too long at NOW. */
void keys_expire(struct keys *keys, int64_t now);

#endif
