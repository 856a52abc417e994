// Holds our reading of a request stream against Node's HTTP parser, on every file of a corpus and
// on mutations of it. What we accept, Node must read as the same requests: method, target, fields,
// body. What Node accepts and we refuse is fine, and counted.
//
//   node against-node.js PROGRAM CORPUS
'use strict';
const { spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');

const [program, corpus] = process.argv.slice(2);
const sha256 = (b) => crypto.createHash('sha256').update(b).digest('hex');

function ours(bytes) {
  const run = spawnSync(program, { input: bytes });
  if (run.status !== 0) throw new Error(`${program}: ${run.stderr}`);
  const lines = run.stdout.toString().trim().split('\n').map((l) => JSON.parse(l));
  const { end } = lines.pop();
  const text = (hex) => Buffer.from(hex, 'hex').toString('latin1');
  return { end, requests: lines.map((l) => ({ ...l, method: text(l.method), target: text(l.target),
    fields: l.fields.map(text) })) };
}

// One connection to a server whose parser is strict (the default), closed for writing behind the
// last byte. Resolves with what the parser understood.
function nodes(port, seen, bytes) {
  seen.length = 0;
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => resolve(seen.filter((r) => r.whole)));
  });
}

function record(seen, request, whole) {
  const entry = { method: request.method, target: request.url, fields: request.rawHeaders, whole };
  const parts = [];
  seen.push(entry);
  request.on('data', (d) => parts.push(d));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    entry.body = body.length;
    entry.sha256 = sha256(body);
    entry.whole = request.complete;
  });
  if (whole) Object.assign(entry, { body: 0, sha256: sha256('') });
}

// Single-byte changes where parsers differ, at every place of a head.
function* mutations(bytes) {
  yield bytes;
  for (let i = 0; i < bytes.length; i += 1) {
    if (bytes[i] === 0x0d) yield Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + 1)]);
    if (bytes[i] === 0x3a) {
      yield Buffer.concat([bytes.subarray(0, i), Buffer.from(' '), bytes.subarray(i)]);
      yield Buffer.concat([bytes.subarray(0, i + 1), Buffer.from('\t'), bytes.subarray(i + 1)]);
    }
    if (bytes[i] === 0x20) yield Buffer.concat([bytes.subarray(0, i), Buffer.from('\x0b'), bytes.subarray(i + 1)]);
  }
}

function difference(mine, theirs) {
  if (mine.requests.length !== theirs.length) return `${mine.requests.length} requests, Node ${theirs.length}`;
  for (let i = 0; i < theirs.length; i += 1)
    for (const key of ['method', 'target', 'body', 'sha256'])
      if (mine.requests[i][key] !== theirs[i][key])
        return `request ${i}: ${key} ${mine.requests[i][key]}, Node ${theirs[i][key]}`;
  for (let i = 0; i < theirs.length; i += 1)
    if (JSON.stringify(mine.requests[i].fields) !== JSON.stringify(theirs[i].fields))
      return `request ${i}: fields ${JSON.stringify(mine.requests[i].fields)}, Node ${JSON.stringify(theirs[i].fields)}`;
  return null;
}

async function main() {
  const seen = [];
  const server = http.createServer({ insecureHTTPParser: false, requireHostHeader: false, maxHeaderSize: 65536 },
    (q, s) => { record(seen, q, false); s.end(); });
  server.on('checkContinue', (q, s) => { record(seen, q, false); s.end(); });
  server.on('connect', (q, s) => { record(seen, q, true); s.destroy(); });
  server.on('upgrade', (q, s) => { record(seen, q, true); s.destroy(); });
  server.on('clientError', (e, s) => s.destroy());
  server.keepAliveTimeout = 1000;
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  let accepted = 0, stricter = 0, refused = 0, bad = 0;
  for (const name of fs.readdirSync(corpus).sort()) {
    for (const bytes of mutations(fs.readFileSync(path.join(corpus, name)))) {
      const mine = ours(bytes);
      const theirs = await nodes(port, seen, bytes);
      // Up to where we stop, Node must agree; what it reads behind that never reaches an origin.
      const why = difference(mine, theirs.slice(0, mine.requests.length));
      const clean = ['clean', 'closed', 'tunnel'].includes(mine.end);
      const more = clean && theirs.length > mine.requests.length && `Node reads ${theirs.length} requests, we ${mine.requests.length}`;
      if (why || more) {
        bad += 1;
        console.log(`not ok ${name}: ${why || more}\n${JSON.stringify(bytes.toString('latin1'))}`);
      } else if (clean && mine.requests.length) accepted += 1;
      else if (theirs.length > mine.requests.length) stricter += 1;
      else refused += 1;
    }
  }
  server.close();
  server.closeAllConnections();
  console.log(`read alike: ${accepted}; refused by both: ${refused}; refused by us alone: ${stricter}; differently: ${bad}`);
  process.exitCode = bad || accepted === 0 ? 1 : 0;
}

main();
