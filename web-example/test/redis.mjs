// A temporary Redis, with the entries that a Django backend stores there.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

/** Starts redis-server without persistence, on a free port. */
export async function startRedis() {
  for (let tries = 10; ; tries--) {
    // Redis can't choose a port itself. These are not used for outgoing connections, which tests make by the thousand.
    const redis = await startOn(12_000 + Math.floor(Math.random() * 20_000));
    if (redis.url) return redis;
    if (tries === 1 || !redis.log.includes('in use')) throw new Error(`redis-server has ended: ${redis.log}`);
  }
}

async function startOn(port) {
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.once('error', (error) => { throw new Error(`redis-server can't be started: ${error.message}. apt-get install redis-server`); });
  process.once('exit', () => child.kill('SIGKILL'));
  let log = '';
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    log += text;
    if (log.includes('Ready to accept connections')) break;
  }
  child.stdout.resume();
  if (!log.includes('Ready to accept connections')) return { log };

  return {
    url: `redis://127.0.0.1:${port}/0`,

    /** Stores the token of a form of this account, as Django does: a pickle of {'account_id': account}. */
    async addForm(token, account) {
      const pickle = Buffer.concat([Buffer.from('\x80\x02}q\x00X\x0a\x00\x00\x00account_idq\x01K', 'latin1'), Buffer.from([account]), Buffer.from('s.')]);
      await set(port, `:1:${token}`, pickle);
    },

    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function set(port, key, value) {
  const socket = connect(port, '127.0.0.1');
  const part = (bytes) => [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  socket.write(Buffer.concat([Buffer.from('*3\r\n'), ...part(Buffer.from('SET')), ...part(Buffer.from(key)), ...part(value)]));
  const [answer] = await once(socket, 'data');
  socket.destroy();
  if (!String(answer).startsWith('+OK')) throw new Error(`SET: ${answer}`);
}
