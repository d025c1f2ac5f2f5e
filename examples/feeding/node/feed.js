// Feeds and asks monitors from Node:
//
//   node feed.js publish < events.ndjson     one event to a line
//   node feed.js status MODEL                as JSON
//   node feed.js pause MODEL REASON          and resume, retrain, approve, reject, cancel, stop
//
// TEMPORAL_ADDRESS and the like say where the cluster is, as for the temporal CLI.
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline';
import { BufferFull, Publisher, workflowId } from './publisher.js';

const UPDATES = ['pause', 'resume', 'retrain', 'approve', 'reject', 'cancel', 'stop'];
const USAGE = 'usage: feed.js publish < events.ndjson | status MODEL | ' + UPDATES.join('|') + ' MODEL REASON';

async function publish(client) {
  const publisher = new Publisher(client, { interval: 200, taskQueue: process.env.TASK_QUEUE || 'model-monitor' });
  let events = 0;
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      const event = JSON.parse(line);
      try {
        publisher.publish(event);
      } catch (error) {
        if (!(error instanceof BufferFull)) throw error;
        await publisher.flush(); // read faster than sent
        publisher.publish(event);
      }
      events++;
    }
  } finally {
    await publisher.close();
  }
  console.log(`published ${events} events`);
}

async function main([command, model, reason]) {
  const { namespace, connectionOptions } = loadClientConnectConfig();
  const connection = await Connection.connect(connectionOptions);
  try {
    const client = new Client({ connection, namespace });
    if (command === 'publish' && model === undefined) {
      await publish(client);
    } else if (command === 'status' && model !== undefined) {
      console.log(JSON.stringify(await client.workflow.getHandle(workflowId(model)).query('status')));
    } else if (UPDATES.includes(command) && reason !== undefined) {
      await client.workflow.getHandle(workflowId(model)).executeUpdate(command, { args: [{ by: userInfo().username, reason }] });
      console.log(`${command}: ${model}`);
    } else {
      throw new Error(USAGE);
    }
  } finally {
    await connection.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`feed.js: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
});
