package io.llmc4j.formats.export;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputFilter;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.Base64;
import java.util.Optional;

/**
 * What a {@link ModuleWriter} has gathered, as text: a resumed run's config.json tells of blocks that another process wrote. A writer is a small
 * object of names and settings, and is serialized as it is; only classes of this project, of the JDK and JSON trees are taken back.
 */
final class WriterState {

    private WriterState() {
    }

    /** An Optional, which the JDK does not serialize. */
    private record Maybe(Object value) implements Serializable {
        private Object readResolve() {
            return Optional.ofNullable(value);
        }
    }

    static String text(ModuleWriter writer) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (Out out = new Out(bytes)) {
            out.writeObject(writer);
        } catch (IOException e) {
            throw new IllegalStateException(writer.getClass() + " keeps something that cannot be saved", e);
        }
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    static ModuleWriter writer(String text) {
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(Base64.getDecoder().decode(text)))) {
            in.setObjectInputFilter(WriterState::ours);
            return (ModuleWriter) in.readObject();
        } catch (IOException | ClassNotFoundException e) {
            throw new IllegalStateException("the state of a writer in the journal cannot be read", e);
        }
    }

    private static ObjectInputFilter.Status ours(ObjectInputFilter.FilterInfo info) {
        if (info.serialClass() == null) {
            return ObjectInputFilter.Status.UNDECIDED;
        }
        Class<?> c = info.serialClass();
        while (c.isArray()) {
            c = c.getComponentType();
        }
        boolean known = c.isPrimitive() || c.getPackageName().equals("java.lang") || c.getPackageName().equals("java.util") || c.getPackageName().startsWith("io.llmc4j.")
                || c.getPackageName().equals("com.fasterxml.jackson.databind.node");
        if (!known) {
            throw new IllegalStateException("a journal does not hold objects of " + c);
        }
        return ObjectInputFilter.Status.ALLOWED;
    }

    private static final class Out extends ObjectOutputStream {

        Out(ByteArrayOutputStream to) throws IOException {
            super(to);
            enableReplaceObject(true);
        }

        @Override
        protected Object replaceObject(Object o) {
            return o instanceof Optional<?> maybe ? new Maybe(maybe.orElse(null)) : o;
        }
    }
}
