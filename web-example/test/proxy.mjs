// A TCP proxy that stands for a bad line: it can be cut, be slow, or stop after so many bytes.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * Listens on `port` and passes everything on to `target`, a port of this machine.
 *
 * A test that needs "the middle of an upload" uses limit(): each connection takes that many bytes
 * from its client, then stands still. So no clock decides how far an upload has come, and other
 * requests, on connections of their own, still get through.
 */
export async function startProxy(port, target) {
  const connections = new Set(); // of { client, upstream, left, wake }
  let refusing = false;
  let limit = Infinity;
  let rate = Infinity;
  let stopped = () => {};

  const server = createServer((client) => {
    if (refusing) return client.resetAndDestroy();
    const upstream = connect(target, '127.0.0.1');
    const connection = { client, upstream, left: limit, wake: () => {} };
    connections.add(connection);
    const close = () => {
      connections.delete(connection);
      client.destroy();
      upstream.destroy();
      connection.wake();
    };
    for (const socket of [client, upstream]) socket.on('error', close).on('close', close);
    upstream.pipe(client);
    uplink(connection).catch(close);
  });

  async function uplink(connection) {
    const { client, upstream } = connection;
    for await (let bytes of client) {
      while (bytes.length > 0) {
        if (client.destroyed) return;
        if (connection.left === 0) {
          stopped();
          await new Promise((wake) => { connection.wake = wake; });
          continue;
        }
        const now = bytes.subarray(0, Math.min(bytes.length, connection.left));
        bytes = bytes.subarray(now.length);
        connection.left -= now.length;
        if (!upstream.write(now)) await once(upstream, 'drain');
        if (rate !== Infinity) await new Promise((next) => setTimeout(next, (now.length / rate) * 1000));
      }
    }
    upstream.end();
  }

  function setLimit(bytes) {
    limit = bytes;
    for (const connection of connections) {
      connection.left = bytes;
      connection.wake();
    }
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    port,

    /** From now on each connection stands still after this many bytes. Resolves when one does. */
    limit(bytes) {
      const standing = new Promise((resolve) => { stopped = resolve; });
      setLimit(bytes);
      return standing;
    },

    /** Bytes a second towards the server, for each connection. */
    slow(bytesPerSecond) {
      rate = bytesPerSecond;
    },

    /** Breaks every connection and refuses new ones until restore(). */
    cut() {
      refusing = true;
      for (const { client, upstream } of connections) {
        client.resetAndDestroy();
        upstream.destroy();
      }
    },

    /**
     * Breaks the connections that stand still. A client that is gone may have left the rest of its
     * upload in the kernel's buffers: with a good line it would still arrive.
     */
    drop() {
      for (const { client, upstream, left } of connections) {
        if (left > 0) continue;
        client.resetAndDestroy();
        upstream.destroy();
      }
    },

    /** A good line again. */
    restore() {
      refusing = false;
      rate = Infinity;
      setLimit(Infinity);
    },

    async close() {
      this.cut();
      server.close();
      await once(server, 'close');
    },
  };
}
