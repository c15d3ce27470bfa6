// node llamacpp.mjs NODE_MODULES FILE COUNT "id id id" TEXT...
// Loads a GGUF file in llama.cpp and prints, as JSON, the greedy continuation of the ids and the tokens of each text.
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [,, modules, file, count, ids, ...texts] = process.argv;
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(join(modules, "node-llama-cpp/dist/index.js")));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1});
const model = await llama.loadModel({modelPath: file});
const tokens = texts.map(t => Array.from(model.tokenize(t, false, "trimLeadingSpace")).map(Number));
const plain = texts.map(t => Array.from(model.tokenize(t)).map(Number));
const out = [];
if (Number(count) > 0) {
    const context = await model.createContext({contextSize: 128, threads: 1, flashAttention: false});
    for await (const t of context.getSequence().evaluate(ids.split(" ").map(Number), {temperature: 0})) {
        out.push(Number(t));
        if (out.length >= Number(count)) {
            break;
        }
    }
    await context.dispose();
}
console.log(JSON.stringify({greedy: out, tokens: plain, trimmed: tokens, bos: model.tokens.bos, eos: model.tokens.eos, addBos: model.tokens.shouldPrependBosToken}));
await model.dispose();
await llama.dispose();
