// Two texts and the difference between them.

export const SWAP = {
  "Two texts, one difference": "Hai văn bản, một khác biệt",
  "Change a token, and something else comes next. Which places of the model carry that difference? The second text is read again, each time with what the first has at one place of the model put into the same place (<dfn data-term=\"activation patching\">activation patching</dfn>; Meng et al. 2022, Wang et al. 2022). A cell says how much of the difference comes back: 0 nothing, 1 all of it.":
    "Đổi một token, và điều đến tiếp theo sẽ khác. Những chỗ nào của mô hình mang khác biệt ấy? Văn bản thứ hai được đọc lại, mỗi lần thay một chỗ của mô hình bằng giá trị mà văn bản thứ nhất có ở chính chỗ đó (<dfn data-term=\"activation patching\">vá kích hoạt</dfn>, activation patching; Meng et al. 2022, Wang et al. 2022). Mỗi ô cho biết bao nhiêu phần khác biệt được khôi phục: 0 là không gì cả, 1 là tất cả.",
  "The first text: choose a token to change it": "Văn bản thứ nhất: chọn một token để đổi nó",
  "The second text: choose a token to ask what comes after it": "Văn bản thứ hai: chọn một token để hỏi điều gì đến sau nó",
  "{name}; arrow keys go from token to token": "{name}; phím mũi tên đi từ token này sang token khác",
  "Or type the second text": "Hoặc gõ văn bản thứ hai",
  "It needs as many tokens as the first.": "Nó cần có số token bằng văn bản thứ nhất.",
  "The first text has {first} tokens, this one has {second}: the two must have as many.":
    "Văn bản thứ nhất có {first} token, văn bản này có {second}: hai bên phải bằng nhau.",
  "Position {at}: {token} →": "Vị trí {at}: {token} →",
  "Likely tokens for position {at}": "Các token dễ xảy ra ở vị trí {at}",
  "as it was": "như cũ",
  "Nothing stands before it by which the model could tell likely tokens; the second text can be typed.":
    "Không có gì đứng trước để mô hình biết token nào dễ xảy ra; bạn có thể gõ văn bản thứ hai.",
  "Looking for a token that matters far on …": "Đang tìm một token có ảnh hưởng xa về sau …",
  "What comes after position {position}, {here}: {target} or {against}?": "Điều gì đến sau vị trí {position}, {here}: {target} hay {against}?",
  "the first text": "văn bản thứ nhất",
  "the second": "văn bản thứ hai",
  "probability of {token}": "xác suất của {token}",
  "difference of the logits": "hiệu các logit",
  "The page carries no weights of step {shown}: this is the model of step {step}.":
    "Trang không mang trọng số của bước {shown}: đây là mô hình ở bước {step}.",
  "What comes after position {position} is the same in both texts, so there is no difference that could come back. Choose a later token of the second text.":
    "Điều đến sau vị trí {position} giống nhau ở cả hai văn bản, nên không có khác biệt nào để khôi phục. Hãy chọn một token phía sau trong văn bản thứ hai.",
  "The two texts are the same: there is no difference that could come back. Choose a token of the first text to change it.":
    "Hai văn bản giống nhau: không có khác biệt nào để khôi phục. Hãy chọn một token của văn bản thứ nhất để đổi nó.",
  "The stream": "Dòng dư",
  "at a position, after a layer": "tại một vị trí, sau một lớp",
  "How much comes back by the stream, position by depth; arrow keys move, Enter stays there":
    "Dòng dư khôi phục được bao nhiêu, vị trí theo độ sâu; phím mũi tên để di chuyển, Enter để dừng lại",
  "Heads and MLPs": "Các đầu và MLP",
  "what one of them adds, at": "thay phần một trong số chúng cộng vào, tại",
  "How much comes back by a head or an MLP; arrow keys move, Enter chooses a head":
    "Một đầu hay một MLP khôi phục được bao nhiêu; phím mũi tên để di chuyển, Enter để chọn một đầu",
  "Where it is put in": "Thay vào ở đâu",
  "all positions": "mọi vị trí",
  "position {position}": "vị trí {position}",
  "Point at a cell to read its numbers.": "Trỏ vào một ô để đọc các con số.",
  "With the stream of the first text there:": "Với dòng dư của văn bản thứ nhất ở đó:",
  "With what it adds in the first text:": "Với phần nó cộng vào trong văn bản thứ nhất:",
  "difference {before} → {after}, in the first text {first}: {share} comes back.":
    "hiệu {before} → {after}, ở văn bản thứ nhất {first}: khôi phục {share}.",
  "0: nothing comes back. 1: all of it. Below 0 the answer moves further away; it may be beyond −1 and 1, where the colour goes no further.":
    "0: không khôi phục gì. 1: khôi phục tất cả. Dưới 0: câu trả lời càng xa thêm; giá trị có thể vượt quá −1 và 1, nhưng màu không đậm thêm.",
};
