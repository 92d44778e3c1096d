/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server may send to make a terminal do or hide something, line by line, and how each line
 * is shown: byte for byte as base/sanitize.h says it. One whose two forms are the same is text that
 * has been used to break screens; all others must never reach a terminal as they came.
 *
 * Each has text of its own beside what is hostile, so that it can be told from what ncurses writes.
 * None is wider than 150 columns, and none holds more marks on a character than ncurses does.
 *
 * Sources: ECMA-48, ctlseqs of xterm, console_codes(4), the manuals of the VT100 to VT525, of
 * screen, tmux, kitty and iTerm2; UAX 9 and UTR 36 of Unicode; RFC 3629.
 */
#ifndef CORPUS_H
#define CORPUS_H

#include <stddef.h>

struct hostile {
    const char *name;
    const char *bytes;
    size_t length;
    const char *shown;
};

#define BYTES(text) text, sizeof(text) - 1

/* What follows ESC and is printable, and the same after ESC [; a mode is set and reset. */
#define ESCAPE(name, text)                                                                         \
    {                                                                                              \
        name, BYTES("\033" text "!"), "^[" text "!"                                                \
    }
#define CSI(name, text)  ESCAPE(name, "[" text)
#define MODE(name, mode) CSI(name, "?" mode "h"), CSI("no " name, "?" mode "l")

/* A string, such as OSC and DCS are, with each of its ends, and with none. */
#define STRING(name, introducer, text)                                                             \
    {name, BYTES("\033" introducer text "\007bel"), "^[" introducer text "^Gbel"},                 \
        {name " ended by ST", BYTES("\033" introducer text "\033\\st"),                            \
         "^[" introducer text "^[\\st"},                                                           \
        {name " ended by the byte 9C", BYTES("\033" introducer text "\234st"),                     \
         "^[" introducer text "<9C>st"},                                                           \
        {name " ended by U+009C", BYTES("\033" introducer text "\302\234st"),                      \
         "^[" introducer text "<U+009C>st"},                                                       \
    {                                                                                              \
        name " without end", BYTES("\033" introducer text), "^[" introducer text                   \
    }

/* A C1 control as a byte and as a character, and what may follow it. */
#define C1(name, byte, number, text)                                                               \
    {name " as a byte", BYTES("c1" byte text), "c1<" number ">" text},                             \
    {                                                                                              \
        name " as a character", BYTES("c1\302" byte text), "c1<U+00" number ">" text               \
    }

/* A character that shows nothing by itself, or changes what stands around it. */
#define UNSEEN(name, utf8, number)                                                                 \
    {                                                                                              \
        name, BYTES("un" utf8 "seen"), "un<U+" number ">seen"                                      \
    }

/* Characters that are to be seen as they are. */
#define SEEN(name, text)                                                                           \
    {                                                                                              \
        name, BYTES(text), text                                                                    \
    }

#define TEN(text) text text text text text text text text text text

static const struct hostile corpus[] = {
    /* ---- operating system commands ---- */
    STRING("OSC 0, title and icon", "]", "0;owned"),
    STRING("OSC 1, icon", "]", "1;owned"),
    STRING("OSC 2, title", "]", "2;owned"),
    STRING("OSC 3, X property", "]", "3;WM_NAME=owned"),
    STRING("OSC 4, asks for a colour", "]", "4;1;?"),
    STRING("OSC 7, folder", "]", "7;file://host/tmp"),
    STRING("OSC 8, link", "]", "8;;http://e.example"),
    STRING("OSC 9, notification", "]", "9;owned"),
    STRING("OSC 9;4, progress", "]", "9;4;1;50"),
    STRING("OSC 10, asks for the colour of text", "]", "10;?"),
    STRING("OSC 11, asks for the colour behind", "]", "11;?"),
    STRING("OSC 12, colour of the cursor", "]", "12;red"),
    STRING("OSC 50, font", "]", "50;owned"),
    STRING("OSC 52, sets the clipboard", "]", "52;c;cm0gLXJmIC8="),
    STRING("OSC 52, asks for the clipboard", "]", "52;c;?"),
    STRING("OSC 104, colours reset", "]", "104"),
    STRING("OSC 133, prompt", "]", "133;A"),
    STRING("OSC 777, notification", "]", "777;notify;a;b"),
    STRING("OSC 1337, file", "]", "1337;File=name=YQ==;inline=1:AAAA"),
    STRING("OSC 1337, asks for a variable", "]", "1337;ReportVariable=c2hlbGw="),
    STRING("OSC of linux, a colour", "]", "P0ff0000"),
    STRING("OSC L of dtterm", "]", "Lowned"),

    /* ---- other strings ---- */
    STRING("DECRQSS", "P", "$qm"),
    STRING("DECRQSS of the margins", "P", "$qr"),
    STRING("XTGETTCAP", "P", "+q544e"),
    STRING("XTSETTCAP", "P", "+p544e=41"),
    STRING("DECUDK, a key's text", "P", "0;1|17/726d0d"),
    STRING("sixel", "P", "q#0;2;0;0;0#0~~@@vv@@~~@@~~$"),
    STRING("ReGIS", "P", "pS(E)P[0,0]V[100,100]"),
    STRING("DECDLD, a font", "P", "0;1;1{ @????"),
    STRING("DECRSTS", "P", "1$tA"),
    STRING("APC", "_", "owned"),
    STRING("APC of kitty, a picture", "_", "Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA"),
    STRING("PM", "^", "owned"),
    STRING("SOS", "X", "owned"),
    STRING("the title of screen", "k", "owned"),
    {"tmux passes through", BYTES("\033Ptmux;\033\033]0;owned\007\033\\"),
     "^[Ptmux;^[^[]0;owned^G^[\\"},
    {"screen passes through", BYTES("\033P\033]0;owned\007\033\\"), "^[P^[]0;owned^G^[\\"},
    {"a link around text", BYTES("\033]8;;http://e.example\033\\link\033]8;;\033\\"),
     "^[]8;;http://e.example^[\\link^[]8;;^[\\"},

    /* ---- questions ---- */
    {"ENQ", BYTES("who\005are"), "who^Eare"},
    ESCAPE("DECID", "Z"),
    CSI("DA1", "c"),
    CSI("DA1 with a number", "0c"),
    CSI("DA2", ">c"),
    CSI("DA3", "=c"),
    CSI("XTVERSION", ">q"),
    CSI("DSR 5", "5n"),
    CSI("DSR 6, where the cursor is", "6n"),
    CSI("DECXCPR", "?6n"),
    CSI("DSR 15, printer", "?15n"),
    CSI("DSR 26, keyboard", "?26n"),
    CSI("DSR 996, dark or light", "?996n"),
    CSI("DECRQM", "?2004$p"),
    CSI("DECRQM of ANSI", "4$p"),
    CSI("DECREQTPARM", "x"),
    CSI("DECRQCRA, a checksum of the screen", "1;1;1;1;24;80*y"),
    CSI("DECRQPSR", "1$w"),
    CSI("DECRQTSR", "1$u"),
    CSI("DECRQUPSS", "&u"),
    CSI("XTQMODKEYS", "?4m"),
    CSI("XTSMGRAPHICS", "?1;1;0S"),
    CSI("XTREPORTSGR", "0;0;0;0#|"),
    CSI("kitty asks for the keyboard", "?u"),
    CSI("locator", "'|"),
    CSI("XTWINOPS 11, is it an icon", "11t"),
    CSI("XTWINOPS 13, where", "13t"),
    CSI("XTWINOPS 14, size", "14t"),
    CSI("XTWINOPS 18, rows and columns", "18t"),
    CSI("XTWINOPS 19, of the whole display", "19t"),
    CSI("XTWINOPS 20, icon", "20t"),
    CSI("XTWINOPS 21, title", "21t"),

    /* ---- what stays ---- */
    CSI("an icon of the window", "2t"),
    CSI("the window moved", "3;0;0t"),
    CSI("the window resized", "8;1;1t"),
    CSI("the window behind all", "6t"),
    ESCAPE("RIS", "c"),
    CSI("DECSTR", "!p"),
    CSI("DECSCL", "61\"p"),
    CSI("DECTST", "2;1y"),
    ESCAPE("DECALN", "#8"),
    ESCAPE("double height", "#3"),
    ESCAPE("7-bit controls", " F"),
    ESCAPE("8-bit controls", " G"),
    ESCAPE("not UTF-8", "%@"),
    ESCAPE("memory locked", "l"),
    MODE("application keys", "1"),
    MODE("VT52", "2"),
    MODE("132 columns", "3"),
    MODE("slow scrolling", "4"),
    MODE("reverse screen", "5"),
    MODE("origin", "6"),
    MODE("wrapping", "7"),
    MODE("mouse of X10", "9"),
    MODE("cursor", "25"),
    MODE("Tektronix", "38"),
    MODE("other screen of old", "47"),
    MODE("left and right margins", "69"),
    MODE("mouse", "1000"),
    MODE("mouse buttons", "1002"),
    MODE("mouse motion", "1003"),
    MODE("focus", "1004"),
    MODE("mouse in UTF-8", "1005"),
    MODE("mouse of SGR", "1006"),
    MODE("Meta is ESC", "1036"),
    MODE("urgent bell", "1042"),
    MODE("mouse in pixels", "1016"),
    MODE("other screen", "1047"),
    MODE("other screen and cursor", "1049"),
    MODE("bracketed paste", "2004"),
    MODE("frozen screen", "2026"),
    CSI("locked keyboard", "2h"),
    CSI("insertion", "4h"),
    CSI("no echo", "12l"),
    CSI("line feed and new line", "20h"),
    CSI("cursor keys of kitty", ">1u"),
    CSI("XTMODKEYS", ">4;2m"),
    CSI("shape of the cursor", "5 q"),
    CSI("loud bell", "8 t"),
    CSI("lights", "1q"),
    CSI("protection", "1\"q"),
    ESCAPE("application keypad", "="),
    ESCAPE("cursor saved", "7"),
    ESCAPE("cursor restored", "8"),
    ESCAPE("tab stop", "H"),
    CSI("no tab stops", "3g"),
    CSI("margins", "2;3r"),
    CSI("margins of the sides", "2;3s"),
    ESCAPE("line drawing", "(0"),
    ESCAPE("line drawing in G1", ")0"),
    ESCAPE("LS2", "n"),
    ESCAPE("LS3R", "|"),
    {"SO", BYTES("so\016lqk"), "so^Nlqk"},
    {"SI", BYTES("si\017lqk"), "si^Olqk"},
    {"tab stops gone, and a tab", BYTES("\033[3g\ttab"), "^[[3g   tab"},
    CSI("printer on", "5i"),
    CSI("printer off", "4i"),
    CSI("screen printed", "i"),
    CSI("bracketed paste begins", "200~rm -rf /"),
    CSI("bracketed paste ends", "201~rm -rf /"),

    /* ---- what moves, hides and erases ---- */
    CSI("screen erased", "2J"),
    CSI("scrollback erased", "3J"),
    CSI("home", "H"),
    CSI("far away", "999;999H"),
    CSI("up", "99A"),
    CSI("line erased", "2K"),
    CSI("lines deleted", "99M"),
    CSI("lines inserted", "99L"),
    CSI("scrolled up", "99S"),
    CSI("scrolled down", "99T"),
    CSI("rectangle filled", "88;1;1;24;80$x"),
    CSI("rectangle copied", "1;1;9;9;1;5;5;1$v"),
    CSI("repeated", "999999999b"),
    CSI("hidden", "8m"),
    CSI("black on black", "30;40m"),
    CSI("colours", "38;2;1;2;3;48;5;16m"),
    CSI("underlined with colons", "4:3;58:2::255:0:0m"),
    {"a bomb of SGR", BYTES(TEN("\033[31m\033[0m") "boom"), TEN("^[[31m^[[0m") "boom"},
    ESCAPE("IND", "D"),
    ESCAPE("RI", "M"),
    ESCAPE("DECBI", "6"),
    ESCAPE("VT52 moves", "Y  "),
    {"backspaces", BYTES("rm -rf /\b\b\b\b\b\b\b\bls"), "rm -rf /^H^H^H^H^H^H^H^Hls"},
    {"carriage return", BYTES("bad\rgood"), "bad^Mgood"},
    {"two carriage returns at the end", BYTES("bad\r\r"), "bad^M"},
    {"vertical tab", BYTES("a\vb"), "a^Kb"},
    {"form feed", BYTES("a\fb"), "a^Lb"},
    {"bell", BYTES("a\007\007b"), "a^G^Gb"},
    {"NUL", BYTES("a\0b"), "a^@b"},
    {"DEL", BYTES("a\177b"), "a^?b"},
    {"all of C0 that is left", BYTES("<\1\2\3\4\6\20\21\22\23\24\25\26\27\30\31\32\34\35\36\37>"),
     "<^A^B^C^D^F^P^Q^R^S^T^U^V^W^X^Y^Z^\\^]^^^_>"},
    {"Ctrl-S and Ctrl-Q", BYTES("a\023b\021c"), "a^Sb^Qc"},
    {"keys of a shell", BYTES("\001\013rm -rf /\r\025x"), "^A^Krm -rf /^M^Ux"},
    {"a prompt of readline", BYTES("\001\033[31m\002$ ls"), "^A^[[31m^B$ ls"},
    {"ZMODEM", BYTES("**\030B00000000000000\r\212\021"), "**^XB00000000000000^M<8A>^Q"},

    /* ---- broken grammar ---- */
    {"ESC alone", BYTES("end\033"), "end^["},
    {"many ESC", BYTES("\033\033\033[31mx"), "^[^[^[[31mx"},
    {"CSI alone", BYTES("end\033["), "end^[["},
    {"CSI in CSI", BYTES("\033[\033[\033[5nx"), "^[[^[[^[[5nx"},
    {"OSC in OSC", BYTES("\033]0;a\033]2;b\007\007c"), "^[]0;a^[]2;b^G^Gc"},
    {"CAN in a sequence", BYTES("\033[3\0301mx"), "^[[3^X1mx"},
    {"SUB in a sequence", BYTES("\033[3\0321mx"), "^[[3^Z1mx"},
    {"CAN in a string", BYTES("\033]0;a\030b"), "^[]0;a^Xb"},
    {"bell in a sequence", BYTES("\033[3\0071mx"), "^[[3^G1mx"},
    {"backspace in a sequence", BYTES("\033[2\b3Jx"), "^[[2^H3Jx"},
    {"DEL in a sequence", BYTES("\033[2\177Jx"), "^[[2^?Jx"},
    {"C1 in a sequence", BYTES("\033[2\302\2335nx"), "^[[2<U+009B>5nx"},
    {"a character in a sequence", BYTES("\033[2\303\251Jx"), "^[[2\303\251Jx"},
    {"a huge number", BYTES("\033[" TEN("99999") "mx"), "^[[" TEN("99999") "mx"},
    {"a number of 64 bits", BYTES("\033[18446744073709551617;4294967297Hx"),
     "^[[18446744073709551617;4294967297Hx"},
    {"a negative number", BYTES("\033[-1Ax"), "^[[-1Ax"},
    {"a hundred parameters", BYTES("\033[" TEN("1;1;1;1;1;") "1mx"), "^[[" TEN("1;1;1;1;1;") "1mx"},
    {"all intermediates", BYTES("\033[ !\"#$%&'()*+,-./px"), "^[[ !\"#$%&'()*+,-./px"},
    {"ESC of 8 bits", BYTES("\233\233\233x"), "<9B><9B><9B>x"},

    /* ---- C1 ---- */
    C1("PAD", "\200", "80", "x"),
    C1("HOP", "\201", "81", "x"),
    C1("BPH", "\202", "82", "x"),
    C1("NBH", "\203", "83", "x"),
    C1("IND", "\204", "84", "x"),
    C1("NEL", "\205", "85", "x"),
    C1("SSA", "\206", "86", "x"),
    C1("ESA", "\207", "87", "x"),
    C1("HTS", "\210", "88", "x"),
    C1("HTJ", "\211", "89", "x"),
    C1("VTS", "\212", "8A", "x"),
    C1("PLD", "\213", "8B", "x"),
    C1("PLU", "\214", "8C", "x"),
    C1("RI", "\215", "8D", "x"),
    C1("SS2", "\216", "8E", "x"),
    C1("SS3", "\217", "8F", "x"),
    C1("DCS", "\220", "90", "$qm"),
    C1("PU1", "\221", "91", "x"),
    C1("PU2", "\222", "92", "x"),
    C1("STS", "\223", "93", "x"),
    C1("CCH", "\224", "94", "x"),
    C1("MW", "\225", "95", "x"),
    C1("SPA", "\226", "96", "x"),
    C1("EPA", "\227", "97", "x"),
    C1("SOS", "\230", "98", "x"),
    C1("SGCI", "\231", "99", "x"),
    C1("SCI", "\232", "9A", "x"),
    C1("CSI", "\233", "9B", "2J"),
    C1("DA1 by CSI", "\233", "9B", "c"),
    C1("ST", "\234", "9C", "x"),
    C1("OSC", "\235", "9D", "0;owned"),
    C1("PM", "\236", "9E", "x"),
    C1("APC", "\237", "9F", "x"),

    /* ---- bytes that are no character ---- */
    {"a continuation alone", BYTES("a\277b"), "a<BF>b"},
    {"truncated", BYTES("a\342\202b"), "a<E2><82>b"},
    {"truncated before ESC", BYTES("a\342\202\033[31mb"), "a<E2><82>^[[31mb"},
    {"truncated by the end of the line", BYTES("a\360\237\230"), "a<F0><9F><98>"},
    {"overlong slash", BYTES("a\300\257b"), "a<C0><AF>b"},
    {"overlong ESC", BYTES("a\300\233[31mb"), "a<C0><9B>[31mb"},
    {"overlong ESC of three bytes", BYTES("a\340\200\233b"), "a<E0><80><9B>b"},
    {"overlong CSI of four bytes", BYTES("a\360\200\202\233b"), "a<F0><80><82><9B>b"},
    {"overlong NUL", BYTES("a\300\200b"), "a<C0><80>b"},
    {"a surrogate", BYTES("a\355\240\200b"), "a<ED><A0><80>b"},
    {"two surrogates", BYTES("a\355\240\275\355\270\200b"), "a<ED><A0><BD><ED><B8><80>b"},
    {"five bytes", BYTES("a\370\210\200\200\200b"), "a<F8><88><80><80><80>b"},
    {"six bytes", BYTES("a\374\204\200\200\200\200b"), "a<FC><84><80><80><80><80>b"},
    {"U+110000", BYTES("a\364\220\200\200b"), "a<F4><90><80><80>b"},
    {"UTF-16", BYTES("\377\376\033\0[\0c\0"), "<FF><FE>^[^@[^@c^@"},
    {"UTF-16, the other end first", BYTES("\376\377\0\033\0[\0c"), "<FE><FF>^@^[^@[^@c"},
    {"UTF-32", BYTES("\377\376\0\0\033\0\0\0c"), "<FF><FE>^@^@^[^@^@^@c"},
    {"UTF-7", BYTES("+ABsAWwAy-J\377"), "+ABsAWwAy-J<FF>"},
    {"Latin-1", BYTES("gr\374n"), "gr<FC>n"},

    /* ---- characters that are not to be seen ---- */
    UNSEEN("left-to-right mark", "\342\200\216", "200E"),
    UNSEEN("right-to-left mark", "\342\200\217", "200F"),
    UNSEEN("Arabic letter mark", "\330\234", "061C"),
    UNSEEN("LRE", "\342\200\252", "202A"),
    UNSEEN("RLE", "\342\200\253", "202B"),
    UNSEEN("PDF", "\342\200\254", "202C"),
    UNSEEN("LRO", "\342\200\255", "202D"),
    UNSEEN("RLO", "\342\200\256", "202E"),
    UNSEEN("LRI", "\342\201\246", "2066"),
    UNSEEN("RLI", "\342\201\247", "2067"),
    UNSEEN("FSI", "\342\201\250", "2068"),
    UNSEEN("PDI", "\342\201\251", "2069"),
    UNSEEN("zero-width space", "\342\200\213", "200B"),
    UNSEEN("zero-width non-joiner", "\342\200\214", "200C"),
    UNSEEN("zero-width joiner", "\342\200\215", "200D"),
    UNSEEN("word joiner", "\342\201\240", "2060"),
    UNSEEN("invisible times", "\342\201\242", "2062"),
    UNSEEN("inhibited shaping", "\342\201\254", "206C"),
    UNSEEN("byte order mark", "\357\273\277", "FEFF"),
    UNSEEN("soft hyphen", "\302\255", "00AD"),
    UNSEEN("grapheme joiner", "\315\217", "034F"),
    UNSEEN("Mongolian vowel separator", "\341\240\216", "180E"),
    UNSEEN("Hangul filler", "\343\205\244", "3164"),
    UNSEEN("Hangul initial filler", "\341\205\237", "115F"),
    UNSEEN("half-width Hangul filler", "\357\276\240", "FFA0"),
    UNSEEN("line separator", "\342\200\250", "2028"),
    UNSEEN("paragraph separator", "\342\200\251", "2029"),
    UNSEEN("variation selector 16", "\357\270\217", "FE0F"),
    UNSEEN("variation selector 17", "\363\240\204\200", "E0100"),
    UNSEEN("a tag", "\363\240\200\201", "E0001"),
    UNSEEN("the letter A as a tag", "\363\240\201\201", "E0041"),
    UNSEEN("annotation", "\357\277\271", "FFF9"),
    UNSEEN("a musical beam", "\360\235\205\263", "1D173"),
    UNSEEN("a noncharacter", "\357\267\220", "FDD0"),
    UNSEEN("U+FFFE", "\357\277\276", "FFFE"),
    UNSEEN("U+1FFFF", "\360\237\277\277", "1FFFF"),
    UNSEEN("U+10FFFF", "\364\217\277\277", "10FFFF"),
    {"a name turned around", BYTES("invoice\342\200\256fdp.exe"), "invoice<U+202E>fdp.exe"},
    {"a family", BYTES("\360\237\221\250\342\200\215\360\237\221\251"),
     "\360\237\221\250<U+200D>\360\237\221\251"},

    /* ---- characters that are ---- */
    SEEN("an accent", "e\314\201gal"),
    SEEN("four marks", "Z\314\215\314\266\315\204\314\232algo"),
    SEEN("wide characters", "\346\274\242\345\255\227 \355\225\234\352\270\200"),
    SEEN("an emoji", "\360\237\230\200 emoji"),
    SEEN("Hebrew and Arabic",
         "abc \327\251\327\234\327\225\327\235 \330\263\331\204\330\247\331\205"),
    SEEN("the byte 9B in a character", "\303\233le"),
    SEEN("a lookalike", "p\320\260ypal"),
    SEEN("a private use", "\356\202\240 branch"),
    SEEN("a replacement character", "\357\277\275 lost"),
    SEEN("a shell's words", "$(reboot) `reboot` ; rm -rf / # %s%n"),
};

enum { CORPUS_COUNT = sizeof corpus / sizeof *corpus };

#endif
