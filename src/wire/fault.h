#pragma once
/* Why bytes from the other side of the wall were refused. The parsers of this room answer
 * with one of these and not with a `struct err`: the word goes into the body that the guest
 * reads and into the audit log, so it comes from a closed list and never holds a byte that
 * the peer chose. */

enum wire_fault {
	WIRE_FINE,
	WIRE_HEAD_SIZE,
	WIRE_LINE_SIZE,
	WIRE_FIELD_COUNT,
	WIRE_LINE_END,
	WIRE_FIRST_BYTE,
	WIRE_EMPTY_LINE,
	WIRE_METHOD,
	WIRE_TARGET,
	WIRE_VERSION,
	WIRE_STATUS_LINE,
	WIRE_FIELD_NAME,
	WIRE_FIELD_VALUE,
	WIRE_FOLDED_FIELD,
	WIRE_HOST_MISSING,
	WIRE_HOST_TWICE,
	WIRE_HOST_MISMATCH,
	WIRE_CONTENT_LENGTH,
	WIRE_TRANSFER_ENCODING,
	WIRE_FRAMING,
	WIRE_BODY_FORBIDDEN,
	WIRE_CONNECTION,
	WIRE_EXPECT,
	WIRE_CHUNK,
	WIRE_TRAILER,
	WIRE_HOST,
	WIRE_HOST_ADDRESS,
	WIRE_PORT,
	WIRE_PATH,
	WIRE_PATH_DOTS,
	WIRE_QUERY,
	WIRE_CLIENT_HELLO,
	WIRE_SNI,
	WIRE_FAULTS
};

const char *wire_fault_word(enum wire_fault fault); /* "bad-content-length" */
const char *wire_fault_text(enum wire_fault fault); /* a sentence, lower case, no full stop */
int wire_fault_status(enum wire_fault fault);       /* HTTP status for a guest: 400, 414, 417, 431, 505 */
