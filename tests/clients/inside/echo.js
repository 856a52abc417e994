// Node's own WebSocket: sends texts and bytes of many sizes, and wants each of them back.
const sizes = [0, 1, 125, 126, 65535, 65536, 300000];
const socket = new WebSocket(process.argv[2]);
socket.binaryType = 'arraybuffer';
let next = 0;
const send = () => {
	if (next === 2 * sizes.length) {
		console.log('echoed', next);
		socket.close();
		return;
	}
	const text = 'x'.repeat(sizes[next >> 1]);
	socket.send(next % 2 ? new TextEncoder().encode(text) : text);
};
socket.onopen = send;
socket.onmessage = (event) => {
	const size = next % 2 ? event.data.byteLength : event.data.length;
	if (size !== sizes[next >> 1] || (typeof event.data === 'string') !== (next % 2 === 0)) {
		console.log('wrong answer', next, size);
		process.exit(1);
	}
	next++;
	send();
};
socket.onerror = (event) => { console.log('refused'); process.exitCode = 3; };
