// What contestants of compare.py in Node share: the protocol described in bench_engine.c, the workloads, the clock.
"use strict";
const fs = require("fs");
const readline = require("readline");

const BUCKETS = 8;
const MOST_RUNS = 1000;

// { row16: [16], ..., batch64: [...], ids: [...] } as bench_forward wrote it.
function readInputs(directory, shape) {
	const inputs = {};
	for (const line of fs.readFileSync(`${directory}/${shape}.inputs`, "utf8").trimEnd().split("\n")) {
		const [name, ...numbers] = line.split(" ");
		inputs[name] = numbers.map(Number);
	}
	return inputs;
}

// The ids of each row of a workload.
function rowsOf(inputs, workload) {
	const name = /^row(\d+)$/.exec(workload);
	const lengths = name ? [Number(name[1])] : inputs[workload];
	let at = 0;
	return lengths.map((length) => inputs.ids.slice(at, (at += length)));
}

// Indexes of rows, one array for each call.
function groupsOf(policy, rows) {
	const all = rows.map((_, row) => row);
	if (policy === "rows") return all.map((row) => [row]);
	if (policy !== "buckets") return [all];
	const sorted = all.sort((a, b) => rows[a].length - rows[b].length);
	const size = Math.ceil(rows.length / BUCKETS);
	return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => sorted.slice(i * size, (i + 1) * size));
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function measure(run, seconds) {
	if (seconds > 0) await run();
	const started = performance.now();
	const processor = [];
	const elapsed = [];
	do {
		const before = process.cpuUsage();
		const at = performance.now();
		await run();
		elapsed.push((performance.now() - at) / 1e3);
		const used = process.cpuUsage(before);
		processor.push((used.user + used.system) / 1e6);
	} while (elapsed.length < MOST_RUNS && performance.now() - started < seconds * 1e3);
	return `${median(processor).toFixed(7)} ${median(elapsed).toFixed(7)}`;
}

// prepare(shape, rows, policy) gives a function that computes the rows and whose result is theirs, an array of Float32Array.
async function serve(directory, prepare) {
	const inputs = {};
	for (const shape of ["base", "small"]) inputs[shape] = readInputs(directory, shape);
	console.log("ready");
	for await (const line of readline.createInterface({ input: process.stdin })) {
		const [verb, shape, ...words] = line.split(" ");
		if (verb === "time") {
			const [workload, policy, seconds] = words;
			console.log(await measure(await prepare(shape, rowsOf(inputs[shape], workload), policy), Number(seconds)));
		} else {
			const [policy, count, file] = words;
			const run = await prepare(shape, rowsOf(inputs[shape], "batch64").slice(0, Number(count)), policy);
			const hidden = await run();
			fs.writeFileSync(file, Buffer.concat(hidden.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))));
			console.log("checked");
		}
	}
	process.exit(0);
}

module.exports = { groupsOf, serve };
