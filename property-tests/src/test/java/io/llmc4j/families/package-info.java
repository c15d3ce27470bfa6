/** Model families against reference logits, and the tiny models that other tests of families build on. */
package io.llmc4j.families;
