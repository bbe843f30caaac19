// A generator of amla in plain Node.js, without packages: random search, then evolution.
//
//     node generator.mjs [PORT]
//
// It listens on 127.0.0.1 (port 8750, or a free one for 0, which it prints) and keeps no state: each question holds the
// whole history. The first `options.random` networks (8) are drawn; after that each is a mutation of the best of
// `options.sample` (4) of the last `options.population` (16) that were measured, as in regularised evolution (Real et
// al. 2019). After `options.trials` networks (32) it stops.

import { createServer } from "node:http";

const LARGEST = 64 * 1024 * 1024; // bytes of a question
const DEFAULTS = { random: 8, population: 16, sample: 4, trials: 32 };

// Numbers from 0 to 1 that depend on the seed and the history alone (mulberry32): asked the same, it answers the same.
function numbers(...seeds) {
  let state = seeds.reduce((mixed, seed) => Math.imul(mixed ^ Number(seed), 0x9e3779b1) ^ (mixed >>> 15), 0x811c9dc5);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (random, count) => Math.floor(random() * count);

// The inputs that a Pick keeps: how many is drawn first, then which.
function drawn(pick, random) {
  const count = pick.at_least + below(random, pick.at_most - pick.at_least + 1);
  const free = pick.inputs.slice(pick.fixed);
  const kept = new Set(pick.inputs.slice(0, pick.fixed));
  while (kept.size < count) kept.add(free.splice(below(random, free.length), 1)[0]);
  return pick.inputs.filter((input) => kept.has(input)); // in the order of the Pick
}

function sampled(picks, random) {
  return Object.fromEntries(Object.entries(picks).map(([name, pick]) => [name, drawn(pick, random)]));
}

// Decisions with one Pick decided anew. Those that come alive through it are drawn, too.
function mutated(picks, parent, random) {
  const names = Object.keys(parent).filter((name) => picks[name].inputs.length > 1);
  const child = { ...sampled(picks, random), ...parent };
  if (!names.length) return child;
  const name = names[below(random, names.length)];
  for (let tries = 0; tries < 20 && String(child[name]) === String(parent[name]); tries++) {
    child[name] = drawn(picks[name], random);
  }
  return child;
}

const accuracy = (trial) => {
  const found = trial.outcome?.kind === "measurement" ? trial.outcome.metrics.accuracy : undefined;
  return Number.isFinite(found) ? found : -Infinity;
};

function best(trials) {
  return trials.reduce((one, other) => (accuracy(other) > accuracy(one) ? other : one));
}

export function ask({ seed, steps, picks, trials, finished, options }) {
  const settings = { ...DEFAULTS, ...options };
  if (trials.length >= settings.trials) return { proposal: null };
  const random = numbers(seed, trials.length, finished.length);
  const measured = finished.map((id) => trials[id]).filter((trial) => accuracy(trial) > -Infinity);
  let decisions = sampled(picks, random);
  if (trials.length >= settings.random && measured.length) {
    const living = measured.slice(-settings.population);
    const rivals = Array.from({ length: settings.sample }, () => living[below(random, living.length)]);
    decisions = mutated(picks, best(rivals).decisions, random);
  }
  return { proposal: { decisions, budget: steps, seed } };
}

export function recommend({ trials, finished }) {
  const measured = finished.map((id) => trials[id]).filter((trial) => accuracy(trial) > -Infinity);
  return { decisions: measured.length ? best(measured).decisions : null };
}

function answer(method, path, body) {
  if (method === "GET" && path === "/v1/health") return [200, { status: "ok" }];
  const call = { "/v1/ask": ask, "/v1/recommend": recommend }[path];
  if (method !== "POST" || !call) return [404, { error: `There is no ${method} ${path}.` }];
  try {
    return [200, call(JSON.parse(body))];
  } catch (error) {
    return [400, { error: `This is no question: ${error.message}` }];
  }
}

const server = createServer((request, response) => {
  const chunks = [];
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size > LARGEST) request.destroy();
    else chunks.push(chunk);
  });
  request.on("end", () => {
    const [status, found] = answer(request.method, request.url, Buffer.concat(chunks).toString());
    const text = JSON.stringify(found);
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  });
});

server.listen(Number(process.argv[2] ?? 8750), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
