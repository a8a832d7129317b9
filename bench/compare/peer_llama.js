// llama.cpp through node-llama-cpp as a contestant of compare.py, on the files of export_gguf.py, one thread. A row is a call:
// what this interface has for embeddings. Results are vectors of rows, the mean of their tokens.
//
//   node peer_llama.js MODULES DIRECTORY q8_0|f16
"use strict";
const { pathToFileURL } = require("url");
const { serve } = require("./contestant.js");

const [modules, directory, type] = process.argv.slice(2);
const LONGEST = 1536;
const SPECIAL = 5;
const [CLS, SEP] = [2, 3];

// The library puts [CLS] and [SEP] around what has none, and no other special tokens may be inside.
function toTokens(row) {
	const tokens = row.map((id) => (id < SPECIAL ? id + SPECIAL : id));
	tokens[0] = CLS;
	tokens[tokens.length - 1] = SEP;
	return tokens;
}

async function main() {
	const { getLlama, LlamaLogLevel } = await import(pathToFileURL(`${modules}/node-llama-cpp/dist/index.js`));
	const llama = await getLlama({ gpu: false, build: "never", maxThreads: 1, logLevel: LlamaLogLevel.error });
	const contexts = {};
	for (const shape of ["base", "small"]) {
		const model = await llama.loadModel({ modelPath: `${directory}/${shape}.${type}.gguf`, gpuLayers: 0 });
		contexts[shape] = await model.createEmbeddingContext({ contextSize: LONGEST + 64, batchSize: LONGEST + 64, threads: 1 });
	}
	await serve(directory, async (shape, rows) => {
		const inputs = rows.map(toTokens);
		return async () => {
			const vectors = [];
			for (const tokens of inputs) vectors.push(Float32Array.from((await contexts[shape].getEmbeddingFor(tokens)).vector));
			return vectors;
		};
	});
}

main();
