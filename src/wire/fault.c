#include "wire/fault.h"

#include "base/err.h"
#include "base/own.h"

#include "base/banned.h"

static const struct {
	const char *word, *text;
	int status;
} faults[WIRE_FAULTS] = {
	[WIRE_FINE] = { "fine", "nothing is wrong", 200 },
	[WIRE_HEAD_SIZE] = { "head-too-large", "the head is larger than the limit", 431 },
	[WIRE_LINE_SIZE] = { "line-too-long", "a line of the head is longer than the limit", 431 },
	[WIRE_FIELD_COUNT] = { "too-many-fields", "the head has more fields than the limit", 431 },
	[WIRE_LINE_END] = { "bad-line-end", "lines end with CR LF, and neither stands alone", 400 },
	[WIRE_FIRST_BYTE] = { "bad-first-byte", "no HTTP message begins with this byte", 400 },
	[WIRE_EMPTY_LINE] = { "empty-line", "an empty line stands where a message begins", 400 },
	[WIRE_METHOD] = { "bad-method", "the method is not a token", 400 },
	[WIRE_TARGET] = { "bad-target",
	                  "the request target has none of the four forms, or not the one for its method",
	                  400 },
	[WIRE_VERSION] = { "bad-version", "the version is not HTTP/1.0 or HTTP/1.1", 505 },
	[WIRE_STATUS_LINE] = { "bad-status-line", "the status line is malformed", 400 },
	[WIRE_FIELD_NAME] = { "bad-field-name", "a field name is not a token with a colon right behind it",
	                      400 },
	[WIRE_FIELD_VALUE] = { "bad-field-value", "a field value holds a control byte", 400 },
	[WIRE_FOLDED_FIELD] = { "folded-field", "a field goes on over a line end", 400 },
	[WIRE_HOST_MISSING] = { "host-missing", "an HTTP/1.1 request names no host", 400 },
	[WIRE_HOST_TWICE] = { "host-twice", "there is more than one Host field", 400 },
	[WIRE_HOST_MISMATCH] = { "host-mismatch", "the target and the Host field name different hosts", 400 },
	[WIRE_CONTENT_LENGTH] = { "bad-content-length",
	                          "Content-Length is not one plain decimal number, said once", 400 },
	[WIRE_TRANSFER_ENCODING] = { "bad-transfer-encoding",
	                             "Transfer-Encoding is not exactly \"chunked\", said once, in HTTP/1.1",
	                             400 },
	[WIRE_FRAMING] = { "ambiguous-framing", "both Content-Length and Transfer-Encoding are there", 400 },
	[WIRE_BODY_FORBIDDEN] = { "body-forbidden", "this message can't have a body", 400 },
	[WIRE_CONNECTION] = { "bad-connection",
	                      "Connection is malformed, or names a field that may not be dropped", 400 },
	[WIRE_EXPECT] = { "bad-expect", "Expect is not \"100-continue\"", 417 },
	[WIRE_CHUNK] = { "bad-chunk", "a chunk is malformed, or has an extension", 400 },
	[WIRE_TRAILER] = { "bad-trailer", "a trailer holds a field that may not stand there", 400 },
	[WIRE_HOST] = { "bad-host", "the host is neither a DNS name in ASCII nor an address", 400 },
	[WIRE_HOST_ADDRESS] = { "bad-host-address", "the host is an address in an unusual spelling", 400 },
	[WIRE_PORT] = { "bad-port", "the port is not a decimal number from 1 to 65535", 400 },
	[WIRE_PATH] = { "bad-path", "the path is malformed, or holds encoded control bytes", 400 },
	[WIRE_PATH_DOTS] = { "path-dots", "the path has a \".\" or \"..\" segment, maybe encoded", 400 },
	[WIRE_QUERY] = { "bad-query", "the query is percent-encoded more often than anybody means", 400 },
	[WIRE_CLIENT_HELLO] = { "bad-client-hello", "the TLS ClientHello is malformed or too large", 400 },
	[WIRE_SNI] = { "bad-sni", "the server name of the ClientHello is malformed", 400 },
};

static enum wire_fault checked(enum wire_fault fault)
{
	if ((unsigned)fault >= ARRAY_LEN(faults))
		bug("no wire fault %d", (int)fault);
	return fault;
}

const char *wire_fault_word(enum wire_fault fault)
{
	return faults[checked(fault)].word;
}

const char *wire_fault_text(enum wire_fault fault)
{
	return faults[checked(fault)].text;
}

int wire_fault_status(enum wire_fault fault)
{
	return faults[checked(fault)].status;
}
