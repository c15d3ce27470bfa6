/**
 * Model families as data, one file each: names of tensors, layouts of fused modules, config.json fields, subsets and which folds are legal.
 * A new family is a new file here and a line in {@link io.llmc4j.formats.hf.Families}.
 */
package io.llmc4j.formats.hf.family;
