// ONNX Runtime as a contestant of compare.py, on the graphs of export_onnx.py, one thread.
//
//   node peer_onnx.js MODULES DIRECTORY fp32|int8
"use strict";
const { groupsOf, serve } = require("./contestant.js");

const [modules, directory, precision] = process.argv.slice(2);
const ort = require(`${modules}/onnxruntime-node`);
const FAR = -10000;

function feedOf(rows) {
	const length = Math.max(...rows.map((row) => row.length));
	const ids = new BigInt64Array(rows.length * length);
	const mask = new Float32Array(rows.length * length).fill(FAR);
	rows.forEach((row, i) =>
		row.forEach((id, j) => {
			ids[i * length + j] = BigInt(id);
			mask[i * length + j] = 0;
		}),
	);
	const shape = [rows.length, length];
	return { input_ids: new ort.Tensor("int64", ids, shape), mask: new ort.Tensor("float32", mask, shape) };
}

// Real tokens only, in the order of the rows.
function unpad(outputs, groups, rows) {
	const hidden = [];
	outputs.forEach((output, i) => {
		const [, length, width] = output.dims;
		groups[i].forEach((row, j) => {
			const from = j * length * width;
			hidden[row] = output.data.slice(from, from + rows[row].length * width);
		});
	});
	return hidden;
}

async function main() {
	const sessions = {};
	for (const shape of ["base", "small"])
		sessions[shape] = await ort.InferenceSession.create(`${directory}/${shape}.${precision}.onnx`, {
			intraOpNumThreads: 1,
			interOpNumThreads: 1,
			executionMode: "sequential",
			graphOptimizationLevel: "all",
		});
	await serve(directory, async (shape, rows, policy) => {
		const groups = groupsOf(policy, rows);
		const feeds = groups.map((group) => feedOf(group.map((row) => rows[row])));
		return async () => {
			const outputs = [];
			for (const feed of feeds) outputs.push((await sessions[shape].run(feed)).hidden);
			return unpad(outputs, groups, rows);
		};
	});
}

main();
