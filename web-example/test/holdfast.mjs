// Starts the real binary for a test: on a port that it chooses itself, with a data folder of its own.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const webExample = resolve(import.meta.dirname, '..');
export const binary = process.env.HOLDFAST_BIN ?? resolve(webExample, '../holdfast');
export const pages = join(webExample, 'dist');

const patience = 120_000; // milliseconds until a start or a stop counts as failed; never a pause

/**
 * Starts `holdfast` and waits until it says that it is ready.
 *
 * `env` has settings. The result has the values of the ready lines (page, tus, base, token), and methods to end it.
 * `stop()` also removes the data. After `restart()` it has another port: a test whose URLs must stay puts a proxy in
 * front of it.
 */
export async function startHoldfast({ env = {} } = {}) {
  await access(binary).catch(() => {
    throw new Error(`${binary} is missing: build it first (go build . beside web-example), or set HOLDFAST_BIN`);
  });
  await access(join(pages, 'index.html')).catch(() => {
    throw new Error(`${pages} is missing: build it first (npm run build)`);
  });
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-web-'));
  const settings = {
    ...process.env, DEBUG: '', HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir, EXAMPLE_DIR: pages, ADMIN_ADDR: '127.0.0.1:0', ...env,
  };
  let running = await launch(settings);

  const holdfast = {
    dataDir,
    /** Its port; undefined while it does not run. */
    get port() { return isRunning(running.child) ? running.port : undefined; },
    get page() { return running.page; },
    get tus() { return running.tus; },
    get base() { return running.tus.replace(/\/tus\/?$/, ''); },
    get token() { return running.token ?? token; },
    get pid() { return running.child.pid; },

    /** Runs a command of the program on the same data while it is running, and returns its output. */
    async command(...args) {
      return (await promisify(execFile)(binary, args, { env: settings })).stdout;
    },

    /** Creates a token for a user of account 1. */
    async tokenFor(user) {
      return (await this.command('token', 'create', '--user', String(user), '--account', '1')).trim();
    },

    /** Returns how many bytes of uploads the process has committed since it was started. */
    async committed() {
      const metrics = await (await fetch(`http://${running.admin}/metrics`, { headers: { 'Accept-Encoding': 'identity' } })).text();
      return Number(/^holdfast_upload_received_bytes_total (\S+)$/m.exec(metrics)[1]);
    },

    /** Kills the process with SIGKILL, as a crash would. */
    async kill9() {
      await end(running.child, 'SIGKILL');
    },

    /** Starts it again, on the same data. */
    async restart() {
      await end(running.child, 'SIGTERM');
      running = await launch(settings);
    },

    /** Stops it as Ctrl-C would, and returns its exit code. */
    async stop() {
      const code = await end(running.child, 'SIGTERM');
      await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
      return code;
    },
  };
  const token = running.token ?? await holdfast.tokenFor(1); // otherwise none is made at the start
  return holdfast;
}

async function launch(env) {
  const child = spawn(binary, [], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  process.once('exit', () => child.kill('SIGKILL')); // a crashed test leaves nothing behind
  let out = '';
  let log = '';
  let admin; // the address of metrics
  const hasToken = env.CONFIG !== 'Production' && env.STORAGE_TYPE !== 's3'; // it makes one for the first try
  child.stderr.setEncoding('utf8');
  child.stdout.setEncoding('utf8');

  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`holdfast ${why}\n--- standard output\n${out}\n--- standard error\n${log}`));
    const tooLong = setTimeout(() => {
      child.kill('SIGKILL');
      fail('is not ready in time');
    }, patience);
    child.once('error', (error) => { clearTimeout(tooLong); fail(`could not be started: ${error.message}`); });
    child.once('exit', (code, signal) => { clearTimeout(tooLong); fail(`ended before it was ready (${signal ?? code})`); });
    const lookForReady = () => {
      const told = (what) => new RegExp(`^\\s+${what}\\s+(\\S+).*\\n`, 'm').exec(out)?.[1];
      const [page, tus, token] = [told('page'), told('uploads'), told('token')];
      if (!out.includes('Holdfast is ready') || !page || !tus || !admin || (!token && hasToken)) return;
      clearTimeout(tooLong);
      child.removeAllListeners('exit');
      resolve({ child, page, tus, token, admin, port: Number(new URL(page).port) });
    };
    child.stdout.on('data', (text) => {
      out += text;
      lookForReady();
    });
    child.stderr.on('data', (text) => {
      log = (log + text).slice(-8000);
      if (admin) return;
      admin = /serving metrics".*?address\W+(127\.0\.0\.1:\d+)\b.*\n/.exec(log)?.[1];
      lookForReady();
    });
  });
}

const isRunning = (child) => child.exitCode === null && child.signalCode === null;

async function end(child, signal) {
  if (!isRunning(child)) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), patience);
  const [code] = await exited;
  clearTimeout(tooLong);
  return code;
}
