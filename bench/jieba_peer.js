// The Rust jieba through Node, on the texts of bench_jieba.c.
//
//   node jieba_peer.js MODULES GOLDENS TEXTS texts    writes TEXTS: golden texts of one line that are mostly Chinese
//   node jieba_peer.js MODULES GOLDENS TEXTS cut      lengths of each line's words, in code points
//   node jieba_peer.js MODULES GOLDENS TEXTS time     "peer SECONDS CHARACTERS": processor time of one pass, median of PASSES
"use strict";
const fs = require("fs");

const PASSES = 31;
const [modules, goldens, path, action] = process.argv.slice(2);
const characters = (text) => [...text].length;

function mostlyChinese(text) {
	return !/[\r\n]/.test(text) && 2 * (text.match(/[\u4e00-\u9fff]/g) || []).length > characters(text);
}

function writeTexts() {
	const records = fs.readFileSync(goldens, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
	const texts = records.map((record) => record.text).filter((text) => text && mostlyChinese(text));
	fs.writeFileSync(path, texts.map((text) => text + "\n").join(""));
}

function seconds(work) {
	const before = process.cpuUsage();
	work();
	const used = process.cpuUsage(before);
	return (used.user + used.system) / 1e6;
}

function main() {
	if (action === "texts") return writeTexts();
	const { Jieba } = require(`${modules}/@node-rs/jieba`);
	const { dict } = require(`${modules}/@node-rs/jieba/dict.js`);
	const jieba = Jieba.withDict(dict);
	const texts = fs.readFileSync(path, "utf8").trimEnd().split("\n");
	if (action === "cut") {
		for (const text of texts) console.log(jieba.cut(text, false).map(characters).join(" "));
		return;
	}
	const pass = () => texts.forEach((text) => jieba.cut(text, false));
	pass();
	const times = Array.from({ length: PASSES }, () => seconds(pass)).sort((a, b) => a - b);
	console.log("peer", times[PASSES >> 1], texts.reduce((sum, text) => sum + characters(text), 0));
}

main();
