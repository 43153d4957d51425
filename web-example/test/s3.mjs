// S3 servers on loopback, with data of their own: versitygw, and SeaweedFS's weed where SEAWEEDFS_BIN names one.

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
const patience = 120_000; // milliseconds until a start counts as failed; never a pause

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** How to start each kind of server, and the path at which it answers with less than 500 once it is ready. */
const kinds = {
  async versitygw(folder, port, { accessKey, secretKey }) {
    const { stdout } = await promisify(execFile)(join(root, 'scripts/s3server.sh'), [], { maxBuffer: 1 << 24 });
    await Promise.all(['objects', 'metadata'].map((name) => mkdir(join(folder, name))));
    return {
      command: stdout.trim(),
      args: ['--port', `127.0.0.1:${port}`, '--region', 'us-east-1', '--health', '/healthy', '--quiet',
        'posix', '--sidecar', join(folder, 'metadata'), join(folder, 'objects')],
      env: { HOME: folder, TMPDIR: folder, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
      ready: '/healthy',
    };
  },
  async seaweedfs(folder, port, { accessKey, secretKey }) {
    const config = join(folder, 's3.json');
    await writeFile(config, JSON.stringify({ identities: [
      { name: 'holdfast', credentials: [{ accessKey, secretKey }], actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'] }] }));
    const others = await Promise.all(['master', 'volume', 'filer'].map(async (name) => `-${name}.port=${await freePort()}`));
    const grpc = await Promise.all(['master', 'volume', 'filer', 's3'].map(async (name) => `-${name}.port.grpc=${await freePort()}`));
    return {
      command: process.env.SEAWEEDFS_BIN,
      args: ['server', `-dir=${folder}`, '-ip=127.0.0.1', '-master.volumeSizeLimitMB=256', '-volume.max=20', ...others, ...grpc,
        '-s3', `-s3.port=${port}`, `-s3.config=${config}`],
      env: { HOME: folder, TMPDIR: folder, PATH: process.env.PATH },
      ready: '/',
    };
  },
};

/** Those that can be started here. */
export const storeKinds = process.env.SEAWEEDFS_BIN ? ['versitygw', 'seaweedfs'] : ['versitygw'];

/** Starts a server of that kind. `settings` are the program's, with the address at which it reaches the server. */
export async function startStore(kind) {
  for (let tries = 5; ; tries--) { // a port that was free may be taken a moment later
    const store = await launch(kind);
    if (store.settings) return store;
    await store.stop();
    if (tries === 1) throw new Error(`${kind} did not start:\n${store.log()}`);
  }
}

async function launch(kind) {
  const folder = await mkdtemp(join(tmpdir(), `holdfast-${kind}-`));
  const port = await freePort();
  const keys = { accessKey: 'holdfast', secretKey: randomBytes(20).toString('hex') };
  const { command, args, env, ready } = await kinds[kind](folder, port, keys);
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  process.once('exit', () => child.kill('SIGKILL'));
  let log = '';
  for (const out of [child.stdout, child.stderr]) out.setEncoding('utf8').on('data', (text) => { log = (log + text).slice(-8000); });

  const store = {
    port,
    log: () => log,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  for (const end = Date.now() + patience; Date.now() < end && child.exitCode === null; await new Promise((next) => setTimeout(next, 50))) {
    const answer = await fetch(`http://127.0.0.1:${port}${ready}`).catch(() => null);
    await answer?.arrayBuffer();
    if (!answer || answer.status >= 500) continue;
    store.settings = {
      STORAGE_TYPE: 's3', S3_KIND: kind, S3_ENDPOINT: `http://127.0.0.1:${port}`, S3_REGION: 'us-east-1',
      S3_ACCESS_KEY: keys.accessKey, S3_SECRET_KEY: keys.secretKey,
    };
    break;
  }
  return store;
}
