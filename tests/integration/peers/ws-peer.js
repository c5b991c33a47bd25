// SPDX-License-Identifier: LGPL-2.1-or-later
// The library ws as a person's client. The order is JSON in the argument, the report JSON on standard output.
'use strict';
const crypto = require('crypto');
const WebSocket = require('ws');

const order = JSON.parse(process.argv[2]);
const report = {};
let number = 0;

function open(path) {
  const link = new WebSocket(order.url + path, { perMessageDeflate: true });
  return new Promise((done, failed) => {
    link.on('error', failed);
    link.on('open', () => done(link));
  });
}

function message(method, resource, body) {
  const data = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const head = { id: `n${++number}`, method, resource, n: data.length };
  if (body !== undefined) head.type = 'application/json';
  const text = Buffer.from(JSON.stringify(head)), size = Buffer.alloc(4);
  size.writeUInt32BE(text.length);
  return Buffer.concat([size, text, data]);
}

function parse(data) {
  const end = 4 + data.readUInt32BE(0);
  return { head: JSON.parse(data.subarray(4, end)), body: data.length > end ? JSON.parse(data.subarray(end)) : {} };
}

function ask(link, ...what) {
  return new Promise((done) => {
    link.once('message', (data) => done(parse(data)));
    link.send(message(...what));
  });
}

function end(link) {
  return new Promise((done) => {
    link.on('error', () => {});
    link.once('close', done);
  });
}

async function closedAfter(path, send) {
  const link = await open(path);
  const closed = end(link);
  send(link);
  return closed;
}

async function onLink() {
  const link = await open('/link');
  report.extensions = link.extensions;
  report.before = (await ask(link, 'GET', 'login')).head.status;
  report.login = (await ask(link, 'POST', 'login', { name: order.name, password: order.password })).head.status;
  report.principal = (await ask(link, 'GET', 'login')).body.principal;
  const pong = new Promise((done) => link.once('pong', (data) => done(data.toString() === 'are you there?')));
  link.ping('are you there?');
  report.pong = await pong;
  const closed = end(link);
  link.close(1000, 'done');
  report['own-close'] = await closed;
}

async function onStream() {
  const stream = await open(`/stream/${order.ticket}`);
  report['ticket-twice'] = await closedAfter(`/stream/${order.ticket}`, () => {});
  const block = crypto.randomBytes(1 << 16), blocks = order.bytes / block.length;
  const sent = crypto.createHash('sha256'), got = crypto.createHash('sha256');
  report.echoed = 0;
  const over = new Promise((done) => stream.on('message', (data, binary) => {
    if (!binary) return done();
    report.echoed += data.length;
    got.update(data);
  }));
  const closed = end(stream);
  for (let at = 0; at < blocks; at++) {
    block.writeUInt32BE(at);
    sent.update(block);
    await new Promise((done) => stream.send(Buffer.from(block), done));
  }
  stream.send('eof');
  await over;
  report.same = sent.digest('hex') === got.digest('hex');
  report['stream-close'] = await closed;
}

async function main() {
  await onLink();
  report['text-close'] = await closedAfter('/link', (link) => link.send('what has no meaning'));
  report['utf8-close'] = await closedAfter('/link', (link) => link.send(Buffer.from([0xff, 0xfe]), { binary: false }));
  report['huge-close'] = await closedAfter('/link', (link) => {
    link.send(Buffer.concat([0, 1].map(() => message('POST', 'login', { name: 'x'.repeat(20000) }))));
  });
  await onStream();
  console.log(JSON.stringify(report));
}

setTimeout(() => { console.error(`not done in time: ${JSON.stringify(report)}`); process.exit(1); }, 50000).unref();
main().then(() => process.exit(0), (error) => { console.error(error, JSON.stringify(report)); process.exit(1); });
